// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GapEntry } from '../../src/record/entry-types.ts';
import type { Chat, Content, MessageRef, Party, View, ViewBody } from '../../src/record/message.ts';
import type { HitPage, IndexDb, PageRequest } from '../../src/search/index-db.ts';
import type { LogPosition } from '../../src/search/log-cursor.ts';
import type { ReadRecord, ReadSegment } from '../../src/search/open-records.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { hexOf } from '../vectors/keys.ts';

// What records say, without an archive around them: the index takes opened records, wherever they come from.

export const ORIGIN = 'archive.example/log';
export const MONDAY_MS = Date.UTC(2026, 10, 16, 9, 0);
export const MINUTE_MS = 60_000;

export interface TestPerson {
  readonly id: string;
  readonly number: string;
  readonly name: string;
}

const person = (n: number, name: string): TestPerson => ({
  id: `0000000${n}-0000-4000-8000-000000000000`,
  number: `+1202555010${n}`,
  name,
});
export const ANA = person(1, 'Ana Ruiz');
export const BEN = person(2, 'Ben Ångström');
export const CLEO = person(3, 'Cleo 田中');
export const HARBOUR: Chat = { type: 'group', id: 'harbour', name: 'Harbour Watch' };

/** The conversation with somebody, as the owner's messenger names it. */
export const direct = (other: TestPerson): Chat => ({ type: 'direct', id: other.id, name: null });

export interface Happening {
  readonly by?: TestPerson | null;
  readonly chat?: Chat | null;
  readonly atMs?: number;
  readonly serverAtMs?: number | null;
  readonly direction?: View['direction'];
}

export function viewOf(owner: TestPerson, body: ViewBody, happening: Happening = {}): View {
  const { by = null, chat = null, atMs = MONDAY_MS } = happening;
  const { serverAtMs = atMs, direction = by === null ? 'none' : by === owner ? 'out' : 'in' } = happening;
  return {
    v: 1,
    app: 'signal',
    account: { id: null, number: owner.number },
    direction,
    chat,
    sender: by === null ? null : { ...by, device: 1 },
    sentAtMs: by === null ? null : atMs,
    serverAtMs: by === null ? null : serverAtMs,
    ...body,
  };
}

export function message(text: string | null, more: Omit<Content, 'text'> = {}): ViewBody {
  return { kind: 'message', content: { text, ...more } };
}

export const refTo = (author: Party, sentAtMs: number): MessageRef => ({ author, sentAtMs });

/** Writes a log: records one after the other, cut into segments when told. */
export class LogWriter {
  readonly segments: ReadSegment[] = [];
  #records: ReadRecord[] = [];
  #leaf = 0;
  #first = 0;
  readonly #streams = new Map<TestPerson, { stream: string; seq: number }>();

  /** What the account of `owner` captured. Resolves to its leaf. */
  capture(owner: TestPerson, body: ViewBody, happening: Happening = {}): number {
    return this.record(owner, { view: viewOf(owner, body, happening), atMs: happening.atMs ?? MONDAY_MS });
  }

  record(owner: TestPerson, parts: Partial<ReadRecord>): number {
    const known = this.#streams.get(owner);
    const { stream, seq } = known ?? this.#open(owner);
    this.#streams.set(owner, { stream, seq: seq + 1 });
    return this.#add({
      stream,
      seq,
      type: 'content',
      view: null,
      defect: null,
      clear: null,
      atMs: MONDAY_MS,
      ...parts,
    });
  }

  #open(owner: TestPerson): { stream: string; seq: number } {
    const stream = hexOf(`stream of ${owner.name}`, 32);
    const open = {
      t: 'open',
      v: 1,
      at: '2026-11-16T08:00:00Z',
      stream,
      seq: 0,
      prev: hexOf('prev'),
      acct: hexOf(`account of ${owner.name}`, 32),
      app: 'signal',
      role: 'account',
      gen: 1,
      key: hexOf('key', 32),
    } as const;
    const head = { stream, seq: 0, view: null, defect: null, atMs: MONDAY_MS - 3_600_000 };
    this.#add({ ...head, type: 'open', clear: open });
    return { stream, seq: 1 };
  }

  gap(
    owner: TestPerson,
    gap: Pick<GapEntry, 'cause' | 'scope' | 'state' | 'from' | 'to' | 'ref'>,
    view?: View,
  ): number {
    const clear: GapEntry = { t: 'gap', v: 1, at: '2026-11-16T09:00:00Z', stream: '', seq: 0, prev: '', ...gap };
    return this.record(owner, { type: 'gap', clear, view: view ?? null });
  }

  #add(record: Omit<ReadRecord, 'leaf' | 'id' | 'via'>): number {
    const leaf = this.#leaf;
    this.#leaf += 1;
    this.#records.push({ ...record, leaf, id: hexOf(`leaf ${leaf}`), via: 'webhook' });
    return leaf;
  }

  idOf(leaf: number): string {
    return hexOf(`leaf ${leaf}`);
  }

  /** The records since the last cut become a segment. */
  cut(): this {
    if (this.#leaf === this.#first) return this;
    this.segments.push({ first: this.#first, end: this.#leaf, at: '2026-11-22T15:00:00Z', records: this.#records });
    this.#records = [];
    this.#first = this.#leaf;
    return this;
  }
}

export function positionAt(size: number, origin = ORIGIN): LogPosition {
  return { origin, size, edge: [], manifests: [], at: '2026-11-22T15:00:00Z' };
}

/** Takes segments in, as many at a time as `step` says. */
export async function applyAll(db: IndexDb, segments: readonly ReadSegment[], step = segments.length): Promise<void> {
  for (let at = 0; at < segments.length; at += step) {
    const some = segments.slice(at, at + step);
    await db.apply(some, positionAt(some.at(-1)?.end ?? 0));
  }
}

export async function ask(db: IndexDb, query: string, page: Partial<PageRequest> = {}): Promise<HitPage> {
  return db.search(parseQuery(query), { order: 'newest', limit: 50, after: null, ...page });
}

/** Texts of all lines that match, newest first. */
export async function found(db: IndexDb, query: string): Promise<string[]> {
  return (await ask(db, query)).hits.map(({ text }) => text);
}
