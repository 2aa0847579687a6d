// SPDX-License-Identifier: AGPL-3.0-or-later

import { createHash } from 'node:crypto';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import type { NativeId, View } from '../../src/record/message.ts';
import { GAP_CAUSES, GAP_SCOPES, GAP_STATES } from '../../src/record/vocabulary.ts';
import type {
  AccountSink,
  Capture,
  ContentCapture,
  Delivered,
  GapCapture,
  MediaCapture,
  OpenGap,
  SessionChange,
  Sightings,
} from '../../src/connectors/connector.ts';

/** What the sink recorded, in order. */
export type Recorded =
  | { readonly t: 'content'; readonly capture: ContentCapture; readonly via: Set<string>; readonly atMs: number }
  | { readonly t: 'gap'; readonly capture: GapCapture; readonly id: string }
  | { readonly t: 'media'; readonly native: NativeId; readonly view: View; readonly bytes: Buffer };

/** Rejects or delays a delivery; called before anything is recorded. */
export type Obstacle = (captures: readonly Capture[], session: readonly SessionChange[]) => Promise<void> | void;

/**
 * An account's sink in memory, stricter than the spool: everything that the real one would refuse, or that no connector may do,
 * throws. Folds like the spool: one identity with the same bytes is one record.
 */
export class MemorySink implements AccountSink {
  readonly records: Recorded[] = [];
  obstacle: Obstacle = () => undefined;
  /** Awaited by `ready`. */
  gate: Promise<void> = Promise.resolve();
  /** Most media that were under way at the same time. */
  mediaPeak = 0;
  #mediaOpen = 0;
  readonly #session = new Map<string, Buffer>();
  readonly #seen = new Map<string, Recorded & { t: 'content' }>();
  readonly #tags = new Set<string>();
  readonly #open = new Map<string, OpenGap>();
  readonly #clock: () => number;

  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  get contents(): ContentCapture[] {
    return this.records.flatMap((record) => (record.t === 'content' ? [record.capture] : []));
  }

  get gaps(): GapCapture[] {
    return this.records.flatMap((record) => (record.t === 'gap' ? [record.capture] : []));
  }

  get media(): (Recorded & { t: 'media' })[] {
    return this.records.flatMap((record) => (record.t === 'media' ? [record] : []));
  }

  /** What intakes brought, without what the connector asked for or says itself. */
  get messages(): ContentCapture[] {
    return this.contents.filter(({ via }) => via !== 'rest' && via !== 'connector');
  }

  ofKind<Kind extends View['kind']>(kind: Kind): (View & { kind: Kind })[] {
    return this.contents.flatMap(({ view }) => (view.kind === kind ? [view as View & { kind: Kind }] : []));
  }

  async deliver(captures: readonly Capture[], session: readonly SessionChange[] = []): Promise<readonly Delivered[]> {
    for (const capture of captures) assertCapture(capture);
    session.forEach(assertChange);
    await this.obstacle(captures, session);
    await Promise.resolve();
    const delivered = captures.map((capture) =>
      capture.type === 'content' ? this.#content(capture) : this.#gap(capture),
    );
    this.#apply(session);
    return delivered;
  }

  async deliverMedia(media: MediaCapture, session: readonly SessionChange[] = []): Promise<Delivered> {
    assertNative(media.native);
    session.forEach(assertChange);
    const pieces: Uint8Array[] = [];
    this.mediaPeak = Math.max(this.mediaPeak, (this.#mediaOpen += 1));
    try {
      for await (const piece of media.bytes) pieces.push(Buffer.from(piece));
    } finally {
      this.#mediaOpen -= 1;
    }
    await this.obstacle([], session);
    const bytes = Buffer.concat(pieces);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const view = media.view({ key: '00'.repeat(32), size: bytes.length, sha256 });
    canonicalize(view as unknown as Json);
    const tag = this.tagOf(media.native);
    if (this.#seen.has(`${tag} ${sha256}`))
      throw new TypeError('expected media of new bytes, got the same bytes twice');
    const record = { t: 'media', native: media.native, view, bytes } as const;
    this.records.push(record);
    this.#tags.add(tag);
    this.#seen.set(`${tag} ${sha256}`, {
      t: 'content',
      capture: { type: 'content', native: media.native, via: media.via, atMs: media.atMs, view, raw: media.raw },
      via: new Set([media.via]),
      atMs: this.#clock(),
    });
    this.#apply(session);
    return { seq: this.records.length, id: idOf(this.records.length), fresh: true };
  }

  ready(): Promise<void> {
    return this.gate;
  }

  session(name: string): Buffer | null {
    return this.#session.get(name) ?? null;
  }

  sessionNames(prefix: string): readonly string[] {
    return [...this.#session.keys()].filter((name) => name.startsWith(prefix)).toSorted();
  }

  openGaps(): readonly OpenGap[] {
    return [...this.#open.values()];
  }

  has(native: NativeId): boolean {
    return this.#tags.has(this.tagOf(native));
  }

  tagOf({ chat, sender, id, kind, revision }: NativeId): string {
    return createHash('sha256')
      .update(canonicalize([chat, sender, id, kind, revision]))
      .digest('hex')
      .slice(0, 32);
  }

  sightings(sinceMs: number): Sightings {
    const byIntake: Record<string, number> = {};
    const only: Record<string, number> = {};
    const recent = [...this.#seen.values()].filter(({ atMs }) => atMs >= sinceMs);
    const tags = recent.map(({ capture }) => this.tagOf(capture.native));
    for (const { via } of recent) {
      for (const name of via) byIntake[name] = (byIntake[name] ?? 0) + 1;
      const [single] = via;
      if (via.size === 1 && single !== undefined) only[single] = (only[single] ?? 0) + 1;
    }
    return { total: recent.length, byIntake, only, differing: tags.length - new Set(tags).size };
  }

  #content(capture: ContentCapture): Delivered {
    const mac = createHash('sha256').update(capture.raw).digest('hex');
    const tag = this.tagOf(capture.native);
    const seen = this.#seen.get(`${tag} ${mac}`);
    if (seen !== undefined) {
      seen.via.add(capture.via);
      return { seq: 0, id: '', fresh: false };
    }
    const record = { t: 'content', capture, via: new Set([capture.via]), atMs: this.#clock() } as const;
    this.records.push(record);
    this.#seen.set(`${tag} ${mac}`, record);
    this.#tags.add(tag);
    return { seq: this.records.length, id: idOf(this.records.length), fresh: true };
  }

  #gap(capture: GapCapture): Delivered {
    const { state, ref, cause, scope, atMs, native } = capture;
    if (ref !== undefined && !this.#open.has(ref)) throw new TypeError('expected a gap that ends an open one');
    const id = idOf(this.records.length + 1);
    this.records.push({ t: 'gap', capture, id });
    if (ref !== undefined) this.#open.delete(ref);
    if (state === 'open') {
      const tag = native === undefined ? null : this.tagOf(native);
      this.#open.set(id, { id, cause, scope, atMs, tag });
    }
    return { seq: this.records.length, id, fresh: true };
  }

  #apply(session: readonly SessionChange[]): void {
    for (const { name, value } of session) {
      if (value === null) this.#session.delete(name);
      else this.#session.set(name, Buffer.from(value));
    }
  }
}

function idOf(count: number): string {
  return count.toString(16).padStart(64, '0');
}

function assertCapture(capture: Capture): void {
  if (!(capture.raw instanceof Uint8Array)) throw new TypeError('expected raw bytes');
  if (capture.raw.length === 0) throw new TypeError('expected raw bytes, got none');
  if (!Number.isSafeInteger(capture.atMs) || capture.via === '') throw new TypeError('expected a time and an intake');
  assertPlain(capture.view);
  canonicalize(capture.view as unknown as Json);
  if (capture.type === 'content') return assertNative(capture.native);
  const { cause, scope, state, fromMs, toMs, count } = capture;
  if (!GAP_CAUSES.includes(cause) || !GAP_SCOPES.includes(scope) || !GAP_STATES.includes(state)) {
    throw new TypeError('expected words of the vocabulary');
  }
  const hasRef = capture.ref !== undefined;
  if ((state === 'open' && hasRef) || (state === 'closed' && !hasRef))
    throw new TypeError('expected only an ending gap to name another');
  for (const value of [fromMs, toMs, count]) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0))
      throw new TypeError('expected whole numbers');
  }
  if (capture.native !== undefined) assertNative(capture.native);
}

function assertNative(native: NativeId): void {
  for (const part of [native.chat, native.sender, native.id, native.kind, native.revision]) {
    if (typeof part !== 'string' || !part.isWellFormed()) throw new TypeError('expected an identity of strings');
  }
}

/** Names are not encrypted in the spool, so none may tell a number or an ACI. */
function assertChange({ name, value }: SessionChange): void {
  if (!/^[a-z]+(?:\/[0-9a-f]+)*$/.test(name)) throw new TypeError('expected a name of words, days and pseudonyms');
  if (value !== null && !(value instanceof Uint8Array)) throw new TypeError('expected bytes');
}

/** Integers, text, true, false and null: everything else reads differently somewhere. */
function assertPlain(value: unknown): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new TypeError('expected a safe integer');
  if (typeof value === 'bigint' || value === undefined) throw new TypeError('expected a JSON value');
  if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) assertPlain(member);
}
