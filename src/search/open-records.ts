// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { isStreamRecord, sealedPart } from '../record/entry.ts';
import type { GapEntry, Hex128, Hex256, PackEntry, StreamRecord } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { KeyId } from '../record/key.ts';
import { mediaKey } from '../record/layout.ts';
import type { Manifest } from '../record/manifest.ts';
import type { View } from '../record/message.ts';
import { EpochError } from '../seal/epoch.ts';
import { ObjectError } from '../seal/object.ts';
import { OpenError, Opener } from '../seal/open.ts';
import { ReaderTrouble, streamed, type ArchiveReader } from '../verify/reader.ts';
import type { FollowedSegment, PackBytes } from './follow.ts';
import type { VerifiedEntry } from './log-cursor.ts';
import { asView } from './view-form.ts';

/** Why a record of the log cannot be read. It is shown in its place all the same. */
export type Defect =
  | 'pack-missing'
  | 'body-damaged'
  | 'sealed-to-others'
  | 'does-not-open'
  | 'object-missing'
  | 'no-view';

/** A record of the log as the holder of the reader key sees it. */
export interface ReadRecord {
  readonly leaf: number;
  readonly id: Hex256;
  readonly stream: Hex128;
  readonly seq: number;
  readonly atMs: number;
  readonly type: StreamRecord['t'];
  /** What was understood; null where the record has none, or cannot be read. */
  readonly view: View | null;
  /** By which intake it came. */
  readonly via: string | null;
  readonly defect: Defect | null;
  /** The whole header, for records that say something in clear. */
  readonly clear: Extract<StreamRecord, { t: 'open' | 'close' | 'hole' }> | GapEntry | null;
}

export interface ReadSegment {
  readonly first: number;
  readonly end: number;
  readonly at: string;
  readonly records: readonly ReadRecord[];
}

/** Opens what the log holds with one reader's key. */
export class RecordOpener {
  readonly #reader: ArchiveReader;
  readonly #opener: Opener;
  readonly #kid: KeyId;

  constructor(reader: ArchiveReader, key: KeyObject, kid: KeyId) {
    this.#reader = reader;
    this.#opener = new Opener(key, kid);
    this.#kid = kid;
  }

  /** Throws `search/wrong-key` if no manifest so far names the key: nothing would ever open. */
  assertNamed(manifests: readonly Manifest[], where: string): void {
    if (manifests.some(({ recipients }) => recipients.some(({ kid }) => kid === this.#kid))) return;
    throw new Failure('search/wrong-key', {
      expected: 'a key that a manifest of the log names as recipient',
      got: `key ${this.#kid}`,
      where,
      fix: 'use the reader key of this archive; nothing was indexed',
    });
  }

  async open({ verified, packs }: FollowedSegment): Promise<ReadSegment> {
    const { first, end, at, docs, entries } = verified;
    for (const document of docs) this.#opener.addEpoch(document);
    const bodies = bodiesOf(entries, first, packs);
    const records: ReadRecord[] = [];
    for (const entry of entries) {
      const record = await this.#read(entry, bodies.get(entry.leaf));
      if (record !== null) records.push(record);
    }
    return { first, end, at, records };
  }

  async #read({ leaf, id, line, entry }: VerifiedEntry, body: Buffer | null | undefined): Promise<ReadRecord | null> {
    if (!isStreamRecord(entry) || entry.t === 'beat') return null;
    const { stream, seq, t: type } = entry;
    const clear = type === 'open' || type === 'close' || type === 'hole' || type === 'gap' ? entry : null;
    const head = { leaf, id, stream, seq, atMs: Date.parse(entry.at), type, clear };
    if (sealedPart(entry) === null) return { ...head, view: null, via: null, defect: null };
    if (body === null || body === undefined) return { ...head, view: null, via: null, defect: 'pack-missing' };
    try {
      const { parts } = await this.#opener.open(line, body, (hash) => this.#object(hash));
      return { ...head, ...viewOf(parts) };
    } catch (error) {
      return { ...head, view: null, via: null, defect: defectOf(error) };
    }
  }

  #object(hash: Hex256): AsyncIterable<Uint8Array> {
    return streamed(this.#reader, mediaKey(hash), '');
  }
}

/** Cuts packs into bodies by leaf; null for a body whose pack is missing. Whether they are the right ones, their hashes say. */
function bodiesOf(entries: readonly VerifiedEntry[], first: number, packs: PackBytes): Map<number, Buffer | null> {
  const bodies = new Map<number, Buffer | null>();
  for (const { entry } of entries) {
    if (entry.t !== 'pack') continue;
    const bytes = packs.get(entry.h) ?? null;
    let at = 0;
    for (const leaf of leavesOf(entry, first, entries.length)) {
      const sealed = sealedPart((entries[leaf - first] as VerifiedEntry).entry);
      if (sealed === null || sealed.ret !== entry.ret) continue;
      bodies.set(leaf, bytes === null ? null : bytes.subarray(at, at + sealed.body.n));
      at += sealed.body.n;
    }
  }
  return bodies;
}

/** Only those of its own segment: a pack can claim no others. */
function* leavesOf({ leaves }: PackEntry, first: number, entries: number): Generator<number> {
  for (const [start, count] of leaves) {
    const end = Math.min(start + count, first + entries);
    for (let leaf = Math.max(start, first); leaf < end; leaf += 1) yield leaf;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Whoever sealed it may have sealed anything: what is no view stays a record with a defect. */
function viewOf(parts: { view: Buffer; cap: Buffer }): Pick<ReadRecord, 'view' | 'via' | 'defect'> {
  try {
    const view = asView(JSON.parse(utf8.decode(parts.view)));
    const cap = JSON.parse(utf8.decode(parts.cap)) as { via?: unknown } | null;
    const via = typeof cap?.via === 'string' ? cap.via : null;
    return { view, via, defect: view === null ? 'no-view' : null };
  } catch {
    return { view: null, via: null, defect: 'no-view' };
  }
}

function defectOf(error: unknown): Defect {
  if (error instanceof EpochError) return error.code === 'not-a-recipient' ? 'sealed-to-others' : 'does-not-open';
  if (error instanceof OpenError) return error.code === 'another-body' ? 'body-damaged' : 'does-not-open';
  if (error instanceof ReaderTrouble || error instanceof ObjectError) return 'object-missing';
  if (error instanceof FormatError) return 'does-not-open';
  throw error;
}
