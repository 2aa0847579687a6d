// SPDX-License-Identifier: AGPL-3.0-or-later
import { encodeStatement, parseStatement, signBatch, type Batch } from '../../src/record/batch.ts';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { entryId, genesisOf, isStreamRecord, parseEntry, sealedPart } from '../../src/record/entry.ts';
import type { Entry, HeadsEntry, LogRecord, OpenEntry, PackEntry, StreamRecord } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { encodeHeads, headsRootHex, type Heads, type StreamState } from '../../src/record/heads.ts';
import { signBytes } from '../../src/record/key.ts';
import { checkpointKey, headsKey, packKey, packPrefix, segmentKey, segmentPrefix } from '../../src/record/layout.ts';
import { EMPTY_RANGE, RangeBuilder, rootOf } from '../../src/record/merkle.ts';
import { encodeSegment, parseSegment } from '../../src/record/segment.ts';
import { ARCHIVER, CONNECTOR, LOG, ORIGIN, type SigningPair } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';

// Takes a log apart and writes it again with everything that follows from a change made right: ids, links, statements, packs, heads,
// roots, checkpoints. So a test changes one thing, with all keys in hand, and only that one thing is wrong.

export interface DraftRecord {
  record: StreamRecord;
  readonly id: string;
  body: Buffer | null;
  /** Set to keep `prev` as it stands in `record`. */
  keepsPrev?: boolean;
  /** Set to write this line instead of the record. */
  line?: string;
}

export interface DraftBatch {
  stream: string;
  gen: number;
  signer: SigningPair;
  records: DraftRecord[];
  /** What the statement says beside the truth. */
  says: Partial<Batch>;
  /** Set to write this line instead of the statement. */
  line?: string;
}

export interface DraftSegment {
  at: string;
  docs: string[];
  batches: DraftBatch[];
  /** Entries of the log's own, without packs: those are made from the bodies. */
  own: Exclude<LogRecord, PackEntry>[];
  readonly until: Map<string, string>;
  archiver: SigningPair;
  log: SigningPair;
  /** Last changes to what is made by itself. */
  editPack: (entry: PackEntry, index: number) => PackEntry | null;
  editHeads: (entry: HeadsEntry, file: Heads) => { entry: HeadsEntry; file: Heads } | null;
  editLines: (lines: string[]) => string[];
  editBytes: (bytes: Buffer) => Buffer;
  editCheckpoint: (note: string) => string;
}

export interface Draft {
  readonly segments: DraftSegment[];
  /** All records of a type, in order. */
  all<T extends StreamRecord['t']>(t: T): (DraftRecord & { record: Extract<StreamRecord, { t: T }> })[];
  batchOf(record: DraftRecord): DraftBatch;
  segmentOf(record: DraftRecord): DraftSegment;
  /** Batches of a stream, in order. */
  batchesOf(stream: string): DraftBatch[];
}

export function draftOf(archive: MemoryArchive): Draft {
  const segments = archive.keys(segmentPrefix(ORIGIN)).map((key) => draftSegment(archive, archive.get(key)));
  const batches = segments.flatMap((segment) => segment.batches.map((batch) => ({ segment, batch })));
  const records = batches.flatMap(({ segment, batch }) => batch.records.map((record) => ({ segment, batch, record })));
  const place = (wanted: DraftRecord): (typeof records)[number] => {
    return records.find(({ record }) => record === wanted) as (typeof records)[number];
  };
  return {
    segments,
    all: (t) => records.map(({ record }) => record).filter(({ record }) => record.t === t) as never,
    batchOf: (record) => place(record).batch,
    segmentOf: (record) => place(record).segment,
    batchesOf: (stream) => batches.map(({ batch }) => batch).filter((batch) => batch.stream === stream),
  };
}

function draftSegment(archive: MemoryArchive, bytes: Buffer): DraftSegment {
  const { head, tail, docs, batches, entries } = parseSegment(bytes);
  const parsed = entries.map((line) => ({
    entry: parseEntry(line.toString()),
    id: entryId(line.toString()).toString('hex'),
  }));
  const packs = parsed.flatMap(({ entry }) => (entry.t === 'pack' ? entry : []));
  const bodies = new Map<string, Buffer[]>();
  for (const { ret, h } of packs) {
    const pack = archive.get(packKey(ORIGIN, h));
    const lengths = parsed.flatMap(({ entry }) =>
      sealedPart(entry)?.ret === ret ? (sealedPart(entry)?.body.n ?? []) : [],
    );
    let at = 0;
    bodies.set(
      ret,
      lengths.map((length) => pack.subarray(at, (at += length))),
    );
  }
  let next = 0;
  const draftBatches = batches.map((line): DraftBatch => {
    const { stream, gen, count } = parseStatement(line.toString());
    const records = parsed.slice(next, (next += count)).map(({ entry, id }): DraftRecord => {
      const ret = sealedPart(entry)?.ret;
      return { record: entry as StreamRecord, id, body: ret === undefined ? null : (bodies.get(ret)?.shift() ?? null) };
    });
    return { stream, gen, signer: CONNECTOR, records, says: {} };
  });
  const own = parsed.slice(next).flatMap(({ entry }) => (isStreamRecord(entry) || entry.t === 'pack' ? [] : entry));
  return {
    at: tail.at,
    docs: docs.map(String),
    batches: draftBatches,
    own,
    until: new Map(packs.map(({ ret, until }) => [ret, until])),
    archiver: ARCHIVER,
    log: LOG,
    editPack: (entry) => entry,
    editHeads: (entry, file) => ({ entry, file }),
    editLines: (lines) => lines,
    editBytes: (segment) => segment,
    editCheckpoint: (note) => (head.checkpoint === '' && note === '' ? '' : note),
  };
}

/** Writes the draft over the archive. */
export function rewrite(archive: MemoryArchive, { segments }: Draft): void {
  for (const key of [
    ...archive.keys(segmentPrefix(ORIGIN)),
    ...archive.keys(packPrefix(ORIGIN)),
    ...archive.keys(`log/${ORIGIN}/heads/`),
  ]) {
    archive.remove(key);
  }
  const writer = new Rewriter(archive);
  for (const segment of segments) writer.write(segment);
  archive.put(checkpointKey(ORIGIN), writer.checkpoint);
}

/** Changes an archive as the whole of its keys together could. */
export function relog(archive: MemoryArchive, change: (draft: Draft) => void): void {
  const draft = draftOf(archive);
  change(draft);
  rewrite(archive, draft);
}

class Rewriter {
  readonly #archive: MemoryArchive;
  readonly #tree = new RangeBuilder(EMPTY_RANGE);
  /** Old ids → new ids. */
  readonly #ids = new Map<string, string>();
  /** What the next record of each stream must name. */
  readonly #tips = new Map<string, string>();
  readonly #states = new Map<string, StreamState>();
  readonly #manifests: string[] = [];
  readonly #rules = new Map<string, string>();
  checkpoint = '';

  constructor(archive: MemoryArchive) {
    this.#archive = archive;
  }

  write(segment: DraftSegment): void {
    const before = this.#tree.range();
    const heads = this.#heads();
    const batches = segment.batches.map((batch) => this.#batch(batch));
    const records = batches.flatMap(({ lines }) => lines);
    const own = [
      ...this.#packs(segment, before.end),
      ...segment.own.flatMap((entry) => this.#own(entry, segment, heads)),
    ];
    const entries = segment.editLines([...records, ...own.map((entry) => canonicalize(entry as unknown as Json))]);
    entries.forEach((line, index) => this.#note(line, before.end + index, segment.docs));
    const parts = { origin: ORIGIN, before, docs: segment.docs, entries, at: segment.at };
    const bytes = encodeSegment(
      {
        ...parts,
        checkpoint: segment.editCheckpoint(this.checkpoint),
        batches: batches.map(({ statement }) => statement),
      },
      segment.archiver.key,
      segment.archiver.privateKey,
    );
    this.#archive.put(segmentKey(ORIGIN, before.end), segment.editBytes(bytes));
    for (const line of entries) this.#tree.appendLeaf(entryId(line));
    const checkpoint = { origin: ORIGIN, size: this.#tree.end, root: rootOf(this.#tree.range()) };
    this.checkpoint = signCheckpoint(checkpoint, segment.log.privateKey);
  }

  #batch(batch: DraftBatch): { lines: string[]; statement: string } {
    const lines = batch.records.map((draft) => this.#record(draft));
    const first = batch.records[0]?.record.seq ?? 0;
    const last = entryId(lines.at(-1) ?? '').toString('hex');
    const { stream, gen, signer } = batch;
    const truth = { origin: ORIGIN, stream, gen, first, count: lines.length, last, key: signer.key.id };
    const statement = batch.line ?? encodeStatement(signBatch({ ...truth, ...batch.says }, signer.privateKey));
    return { lines, statement };
  }

  #record(draft: DraftRecord): string {
    const { stream } = draft.record;
    const prev = draft.keepsPrev === true ? draft.record.prev : (this.#tips.get(stream) ?? genesisOf(ORIGIN, stream));
    draft.record = this.#linked({ ...draft.record, prev });
    const line = draft.line ?? canonicalize(draft.record as unknown as Json);
    const id = entryId(line).toString('hex');
    this.#ids.set(draft.id, id);
    this.#tips.set(stream, draft.record.t === 'hole' ? draft.record.last : id);
    return line;
  }

  /** Ids of records that were written anew. */
  #linked(record: StreamRecord): StreamRecord {
    const now = (id: string): string => this.#ids.get(id) ?? id;
    if (record.t === 'beat')
      return { ...record, heads: record.heads.map(([stream, seq, id]) => [stream, seq, now(id)]) };
    if (record.t === 'gap' && record.ref !== undefined) return { ...record, ref: now(record.ref) };
    if ((record.t === 'open' || record.t === 'gap') && record.last !== undefined) {
      return { ...record, last: { ...record.last, id: now(record.last.id) } };
    }
    return record;
  }

  #packs(segment: DraftSegment, first: number): PackEntry[] {
    const records = segment.batches.flatMap((batch) => batch.records);
    const packed = records.map(({ record, body }, index) => ({ ret: sealedPart(record)?.ret, body, index }));
    return [...segment.until]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([ret, until], number) => {
        const mine = packed.filter((item) => item.ret === ret && item.body !== null);
        const [begin, end] = [mine[0]?.index, mine.at(-1)?.index];
        if (begin === undefined || end === undefined) return [];
        const bytes = Buffer.concat(mine.flatMap(({ body }) => body ?? []));
        const h = sha256Hex(bytes);
        this.#archive.put(packKey(ORIGIN, h), bytes);
        const leaves = [[first + begin, end - begin + 1]] as const;
        const own = { v: 1, at: segment.at, log: ORIGIN } as const;
        return segment.editPack({ ...own, t: 'pack', h, n: bytes.length, leaves, ret, until }, number) ?? [];
      });
  }

  #own(entry: Exclude<LogRecord, PackEntry>, segment: DraftSegment, heads: Heads): LogRecord[] {
    if (entry.t !== 'heads') return [entry];
    const stated = { ...entry, root: headsRootHex(heads.streams), streams: heads.streams.length };
    const edited = segment.editHeads(stated, heads);
    if (edited === null) return [];
    const bytes = encodeHeads(edited.file);
    this.#archive.put(headsKey(ORIGIN, heads.leaves), bytes);
    const file = edited.entry.file.h === entry.file.h ? { h: sha256Hex(bytes), n: bytes.length } : edited.entry.file;
    return [{ ...edited.entry, file }];
  }

  #heads(): Heads {
    const streams = [...this.#states.values()].toSorted((a, b) => (a.stream < b.stream ? -1 : 1));
    // The store entry comes last, whatever was logged first.
    const rules = [...this.#rules].toSorted(([a], [b]) => Number(a === '') - Number(b === '')).map(([, line]) => line);
    return { origin: ORIGIN, leaves: this.#tree.end, docs: [...this.#manifests], rules, streams };
  }

  /** What later heads must say. A line that is no entry changes nothing. */
  #note(line: string, leaf: number, docs: readonly string[]): void {
    let entry: Entry;
    try {
      entry = parseEntry(line);
    } catch {
      return;
    }
    if (isStreamRecord(entry)) this.#noteRecord(entry, leaf, entryId(line).toString('hex'));
    else if (entry.t === 'retention') this.#rules.set(entry.class, line);
    else if (entry.t === 'store') this.#rules.set('', line);
    else if (entry.t === 'key') {
      const document = docs.find((text) => sha256Hex(text) === entry.doc);
      if (document === undefined) return;
      this.#manifests.push(document);
      this.#rules.set(entry.doc, line);
    }
  }

  #noteRecord(entry: StreamRecord, leaf: number, leafId: string): void {
    const { stream, at } = entry;
    const [seq, id] = entry.t === 'hole' ? [entry.seq + entry.count - 1, entry.last] : [entry.seq, leafId];
    const known = this.#states.get(stream) ?? (entry as OpenEntry);
    const { acct, app, role, gen, key } = known;
    const closed = entry.t === 'close' || (known as Partial<StreamState>).closed === true;
    this.#states.set(stream, { stream, acct, app, role, gen, key, seq, id, leaf, at, closed });
  }
}

/** Changes the lines of a written segment and signs its tail anew; root and size stay as the tail says them. */
export function resealed(
  bytes: Buffer,
  change: (lines: string[], tail: Record<string, Json>) => void,
  archiver: SigningPair = ARCHIVER,
): Buffer {
  const lines = bytes.toString().trimEnd().split('\n');
  const { sig: _sig, ...tail } = JSON.parse(lines.pop() as string) as Record<string, Json>;
  change(lines, tail);
  const body = `${lines.join('\n')}\n`;
  const signed = { ...tail, key: archiver.key.id, seg: sha256Hex(body) };
  const sig = signBytes(archiver.privateKey, canonicalize(signed)).toString('base64');
  return Buffer.from(`${body}${canonicalize({ ...signed, sig })}\n`);
}
