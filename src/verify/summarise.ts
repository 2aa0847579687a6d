// SPDX-License-Identifier: Apache-2.0
import { isStreamRecord, parseEntry, sealedPart } from '../record/entry.ts';
import type { Entry, EntryType, Sealed, StreamRecord } from '../record/entry-types.ts';
import { FormatError, type FormatCode } from '../record/format-error.ts';
import { HASH_BYTES, leafHash, sha256Hex } from '../record/hash.ts';
import type { SigningKey } from '../record/key.ts';
import { RangeBuilder, type CompactRange } from '../record/merkle.ts';
import { parseSegment, type Segment } from '../record/segment.ts';
import { BatchCover } from './batch-cover.ts';
import { BodyCover } from './body-cover.ts';
import { EpochUses } from './epoch-uses.ts';
import { Findings, type FindingCode } from './findings.ts';
import { StreamRuns } from './stream-runs.ts';
import type { Event, ObjectUse, PackBodies, SegmentSummary, UnreadableSegment } from './summary.ts';

export interface SummariseContext {
  readonly origin: string;
  /** Keys that may sign batches, as far as they are known; signatures by others are left to the caller. */
  readonly keys: ReadonlyMap<string, SigningKey>;
  /** Sizes of the log at which the caller wants the subtree hashes. */
  readonly cuts: readonly number[];
}

/**
 * Everything about a segment that follows from its own bytes: form, grammar, leaf hashes, statements, chains within streams, epochs,
 * and which pack holds which body. A pure function, so that it runs in any thread.
 */
export function summarise(bytes: Buffer, context: SummariseContext): SegmentSummary | UnreadableSegment {
  let segment: Segment;
  try {
    segment = parseSegment(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { malformed: `${error.got} instead of ${error.expected}` };
  }
  return new Summariser(segment, context).run();
}

const ENTRY_CODES: Readonly<Partial<Record<FormatCode, FindingCode>>> = {
  'format/too-large': 'verify/entry-too-large',
  'format/entry-type': 'verify/entry-unknown-type',
  'format/entry-rule': 'verify/entry-rule',
};

class Summariser {
  readonly #segment: Segment;
  readonly #first: number;
  readonly #origin: string;
  readonly #cuts: readonly number[];
  readonly #findings = new Findings();
  readonly #tree: RangeBuilder;
  readonly #cutRanges: { size: number; range: readonly string[] }[] = [];
  readonly #ids: Buffer;
  readonly #cover: BatchCover;
  readonly #runs: StreamRuns;
  readonly #bodies: BodyCover;
  readonly #epochs = new EpochUses();
  readonly #events: Event[] = [];
  readonly #objects: ObjectUse[] = [];
  readonly #counts: Partial<Record<EntryType, number>> = {};
  #unreadable = false;
  /** Entries up to the last record of a stream. */
  #records = 0;

  constructor(segment: Segment, { origin, keys, cuts }: SummariseContext) {
    const { head, batches, entries } = segment;
    const firstLeaf = head.first;
    this.#segment = segment;
    this.#first = firstLeaf;
    this.#origin = origin;
    this.#cuts = cuts;
    this.#tree = new RangeBuilder(firstLeaf);
    this.#ids = Buffer.allocUnsafeSlow(entries.length * HASH_BYTES);
    const findings = this.#findings;
    this.#cover = new BatchCover(batches, { origin, firstLeaf, entries: entries.length, keys, findings });
    this.#runs = new StreamRuns(origin, findings);
    this.#bodies = new BodyCover(firstLeaf, findings);
    if (!this.#cover.isKnown) this.#unreadable = true;
  }

  run(): SegmentSummary {
    this.#segment.entries.forEach((line, index) => this.#readEntry(line, index));
    const packs = this.#coverBodies();
    const { epochs, documents } = this.#readDocuments();
    const { head, tail, digest } = this.#segment;
    return {
      origin: head.origin,
      first: this.#first,
      end: this.#tree.end,
      checkpoint: head.checkpoint,
      edge: hexRange(head.edge),
      tail: { ...tail, root: tail.root.toString('hex'), sig: tail.sig.toString('hex') },
      digest,
      range: hexRange(this.#tree.range()),
      cuts: this.#cutRanges,
      counts: this.#counts,
      runs: this.#runs.finish((stream) => this.#cover.signersOf(stream)),
      found: this.#findings.list(),
      unreadable: this.#unreadable,
      events: this.#events,
      epochs,
      packs,
      objects: this.#objects,
      documents,
      ids: this.#ids,
    };
  }

  #readEntry(line: Buffer, index: number): void {
    const hash = leafHash(line);
    this.#ids.set(hash, index * HASH_BYTES);
    this.#tree.appendLeaf(hash);
    if (this.#cuts.includes(this.#tree.end)) {
      this.#cutRanges.push({ size: this.#tree.end, range: hexRange(this.#tree.range()) });
    }
    const batch = this.#cover.at(index);
    const entry = this.#parse(line, this.#first + index);
    if (entry === null) {
      this.#unreadable = true;
      this.#bodies.addBroken(index);
      if (batch !== null) this.#runs.breakAt(batch.statement.stream, this.#first + index);
      return;
    }
    const id = hash.toString('hex');
    this.#counts[entry.t] = (this.#counts[entry.t] ?? 0) + 1;
    this.#cover.judge(entry, id, index, batch);
    if (isStreamRecord(entry)) this.#readRecord(entry, id, index);
    else this.#readOwn(entry, id, index);
  }

  #parse(line: Buffer, leaf: number): Entry | null {
    try {
      return parseEntry(line.toString('latin1'));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const code = ENTRY_CODES[error.code] ?? 'verify/entry-malformed';
      this.#findings.add(code, { leaf }, error.expected, error.got);
      return null;
    }
  }

  #readRecord(record: StreamRecord, id: string, index: number): void {
    const leaf = this.#first + index;
    this.#records = index + 1;
    this.#runs.take(record, id, leaf, index);
    const sealed = sealedPart(record);
    if (sealed !== null) {
      this.#runs.seal(record as StreamRecord & Sealed, leaf);
      this.#bodies.add(index, sealed.ret, sealed.body);
      this.#epochs.add(sealed.epoch, sealed.i, leaf, record.at);
    }
    if ((record.t === 'content' || record.t === 'media') && record.obj !== undefined) {
      const { stream, seq, ret, at } = record;
      for (const { h, n } of record.obj) this.#objects.push({ h, n, leaf, stream, seq, ret, at });
    }
    if (record.t === 'beat' || record.t === 'gap' || record.t === 'hole')
      this.#events.push({ leaf, id, entry: record });
  }

  #readOwn(entry: Exclude<Entry, StreamRecord>, id: string, index: number): void {
    const leaf = this.#first + index;
    if (entry.log !== this.#origin) {
      this.#findings.add('verify/entry-origin', { leaf }, `an entry of ${this.#origin}`, 'one of another log');
    }
    this.#events.push({ leaf, id, entry });
  }

  #coverBodies(): PackBodies[] {
    const packs: PackBodies[] = [];
    const records = Math.max(this.#records, this.#cover.end);
    for (const { entry, leaf } of this.#events) {
      if (entry.t === 'pack') packs.push(this.#bodies.claim(entry, leaf, records));
    }
    this.#bodies.finish();
    return packs;
  }

  /** Documents are found by their hash; of those that events name, the text goes along. */
  #readDocuments(): Pick<SegmentSummary, 'epochs' | 'documents'> {
    const lines = new Map(this.#segment.docs.map((line) => [sha256Hex(line), line]));
    const unused = new Set(lines.keys());
    const take = (hash: string): string | null => {
      unused.delete(hash);
      const line = lines.get(hash);
      const text = line?.toString('utf8') ?? null;
      // Bytes that are no text would read as another document than the one that was hashed.
      return line === undefined || text === null || !Buffer.from(text).equals(line) ? null : text;
    };
    const epochs = this.#epochs.finish(take, this.#findings);
    const documents = new Map<string, string>();
    for (const { entry } of this.#events) {
      const hash =
        entry.t === 'key' ? entry.doc : entry.t === 'hold' || entry.t === 'disposition' ? entry.objects.h : null;
      const text = hash === null ? null : take(hash);
      if (hash !== null && text !== null) documents.set(hash, text);
    }
    for (const hash of unused) {
      this.#findings.add(
        'verify/segment-unused-document',
        { leaf: this.#first },
        'a use in this segment',
        `none of ${hash}`,
      );
    }
    return { epochs, documents };
  }
}

function hexRange({ hashes }: CompactRange): string[] {
  return hashes.map((hash) => hash.toString('hex'));
}
