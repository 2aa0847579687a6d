// SPDX-License-Identifier: AGPL-3.0-or-later
import { sealedPart } from '../record/entry.ts';
import type { LeafRange, PackEntry, RepackEntry } from '../record/entry-types.ts';
import { mediaKey, packKey } from '../record/layout.ts';
import { MAX_WHOLE_BYTES, readWhole, stateOf, type ArchiveReader } from '../verify/reader.ts';
import { fetched } from './follow.ts';
import type { AwaitedRecord, IndexDb } from './index-db.ts';
import type { ReadRecord, RecordOpener } from './open-records.ts';
import { SegmentShelf } from './segment-shelf.ts';

/** Stored things that one look asks for; the next look goes on behind them. */
const MOST_ASKED = 50;
/**
 * Looks after which what was damaged is read again, although nothing tells that it changed. What is put right in a bucket is another
 * version; in a directory it may be a file of the same name and size, and reading that again costs little.
 */
const LOOKS_UNTIL_ANEW = { withVersions: 1000, without: 10 };

/** A stored thing, and the records that could be read if it were whole. */
interface Waiting {
  readonly key: string;
  readonly records: AwaitedRecord[];
  /** The pack that took over the bodies; null where they are in the one they were written to. */
  readonly repack: RepackEntry | null;
}

/**
 * Reads again what could not be read, once its bytes are there: a pack or object that was away, one that was restored, a pack that
 * took over what an older one held. What was checked when the log was followed is held against it again: a record by its id, a body
 * by the hash in its record.
 */
export class Mender {
  readonly #reader: ArchiveReader;
  readonly #origin: string;
  readonly #opener: RecordOpener;
  /** What was there already when it was last read. */
  readonly #seen = new Map<string, string>();
  #next = 0;
  #looks = 0;

  constructor(reader: ArchiveReader, origin: string, opener: RecordOpener) {
    this.#reader = reader;
    this.#origin = origin;
    this.#opener = opener;
  }

  /** Resolves to the number of records that have become readable. */
  async look(db: IndexDb): Promise<number> {
    if (((await db.state())?.awaited ?? 0) === 0) return 0;
    this.#looks += 1;
    const { withVersions, without } = LOOKS_UNTIL_ANEW;
    if (this.#looks % (this.#reader.abilities.versions ? withVersions : without) === 0) this.#seen.clear();
    const all = this.#waiting(await db.awaited(), await db.repacks());
    const from = this.#next < all.length ? this.#next : 0;
    this.#next = from + MOST_ASKED;
    let mended = 0;
    for (const waiting of all.slice(from, from + MOST_ASKED)) {
      if (!(await this.#isNew(waiting.key))) continue;
      const read = (await this.#readAgain(waiting)).filter(({ awaits }) => awaits === undefined);
      if (read.length > 0) await db.mend(read);
      mended += read.length;
    }
    return mended;
  }

  #waiting(awaited: readonly AwaitedRecord[], repacks: readonly RepackEntry[]): Waiting[] {
    const byKey = new Map<string, Waiting>();
    const add = (key: string, record: AwaitedRecord, repack: RepackEntry | null): void => {
      const known = byKey.get(key) ?? { key, records: [], repack };
      known.records.push(record);
      byKey.set(key, known);
    };
    for (const record of awaited) {
      const { kind, hash } = record.bytes;
      add(kind === 'pack' ? packKey(this.#origin, hash) : mediaKey(hash), record, null);
      for (const repack of repacks) {
        if (holds(repack.leaves, record.leaf)) add(packKey(this.#origin, repack.h), record, repack);
      }
    }
    return [...byKey.values()];
  }

  /** There, and not the very thing that was read before. */
  async #isNew(key: string): Promise<boolean> {
    const state = await fetched(() => stateOf(this.#reader, key, ''));
    if (state === null) return false;
    const seen = `${state.version} ${state.size} ${state.sha256 ?? ''}`;
    if (this.#seen.get(key) === seen) return false;
    this.#seen.set(key, seen);
    return true;
  }

  async #readAgain({ records, repack }: Waiting): Promise<ReadRecord[]> {
    const shelf = new SegmentShelf(this.#reader, this.#origin);
    const read: ReadRecord[] = [];
    let bodies = repack === null ? null : await this.#bodies(repack, shelf);
    let of = repack?.h ?? '';
    for (const { leaf, id, bytes } of records) {
      const entry = await shelf.entry(leaf);
      if (entry === null || entry.id !== id) continue;
      const pack = repack ?? (await shelf.packOf(leaf));
      if (pack === null) continue;
      if (bodies === null || of !== pack.h) [bodies, of] = [await this.#bodies(pack, shelf), pack.h];
      const body = bodies.get(leaf);
      if (body === undefined) continue;
      const wasIn = bytes.kind === 'pack' ? bytes.hash : null;
      const opened = await this.#opener.reopen(entry, await shelf.docs(leaf), body, wasIn);
      if (opened !== null) read.push(opened);
    }
    return read;
  }

  /** The bodies in a pack by leaf: one behind the other, in order of the leaves, as long as their headers say. */
  async #bodies({ h, leaves, ret }: PackEntry | RepackEntry, shelf: SegmentShelf): Promise<Map<number, Buffer>> {
    const key = packKey(this.#origin, h);
    const bodies = new Map<number, Buffer>();
    const state = await fetched(() => stateOf(this.#reader, key, ''));
    if (state === null || state.size > MAX_WHOLE_BYTES) return bodies;
    const pack = await fetched(() => readWhole(this.#reader, key, state.version, state.size));
    let at = 0;
    for (const [first, count] of leaves) {
      for (let leaf = first; leaf < first + count && at < pack.length; leaf += 1) {
        const entry = await shelf.entry(leaf);
        const part = entry === null ? null : sealedPart(entry.entry);
        if (part?.ret !== ret) continue;
        bodies.set(leaf, pack.subarray(at, at + part.body.n));
        at += part.body.n;
      }
    }
    return bodies;
  }
}

function holds(leaves: readonly LeafRange[], leaf: number): boolean {
  return leaves.some(([first, count]) => leaf >= first && leaf < first + count);
}
