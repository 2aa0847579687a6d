// SPDX-License-Identifier: AGPL-3.0-or-later
import { entryId, genesisOf, isStreamRecord, parseEntry, sealedPart } from '../record/entry.ts';
import type { BytesRef, Hex256, StreamRecord } from '../record/entry-types.ts';
import { parseStatement } from '../record/batch.ts';
import { soundEntry, type StoredRecord } from './outbox.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

/** A run of rows that are missing or do not hold: what a hole will stand for. */
export interface Damage {
  readonly first: number;
  readonly count: number;
  /** Id of the record before it. */
  readonly prev: Hex256;
  /** Id of the last damaged record, known from the record behind it or from the stream's head. */
  readonly last: Hex256;
}

export interface Inspected {
  readonly damages: readonly Damage[];
  /** Id of the `open` record, if its row must be put back from the stream's own copy. */
  readonly opening: Hex256 | null;
  /** Objects that records name and the table of objects does not. */
  readonly unnamed: readonly { readonly ref: BytesRef; readonly ret: string; readonly seq: number }[];
}

/** Where a walk along a stream's rows stands. */
interface Walk {
  /** Number of the next record. */
  seq: number;
  /** What its `prev` must be. */
  prev: Hex256;
  readonly damages: Damage[];
  readonly unnamed: { ref: BytesRef; ret: string; seq: number }[];
  readonly epochs: Map<Hex256, boolean>;
}

const ROWS_AT_ONCE = 64;

/** Checks every record of a stream that has no receipt. Null if the rows contradict each other or leave no chain to go on from. */
export function inspectRows(parts: SpoolParts, stream: SpoolStream): Inspected | null {
  if (!countsFit(parts, stream) || !isWhatItOpenedAs(stream)) return null;
  const start = startOf(parts, stream);
  if (start === null) return null;
  const walk: Walk = { seq: start.seq, prev: start.prev, damages: [], unnamed: [], epochs: new Map() };
  for (let from = walk.seq; from <= stream.headSeq;) {
    const rows = parts.outbox.read(stream, from, stream.headSeq, ROWS_AT_ONCE);
    for (const row of rows) if (!step(parts, stream, walk, row)) return null;
    from = (rows.at(-1)?.seq ?? stream.headSeq) + 1;
  }
  if (walk.seq <= stream.headSeq) pushDamage(walk, stream.headSeq + 1, stream.headId);
  else if (walk.prev !== stream.headId) return null;
  return { damages: walk.damages, opening: start.opening, unnamed: walk.unnamed };
}

/** Takes in the next row; rows that do not hold are left behind, for the next one that does to name. */
function step(parts: SpoolParts, stream: SpoolStream, walk: Walk, row: StoredRecord): boolean {
  const entry = soundEntry(row);
  if (entry === null || !isStreamRecord(entry) || entry.stream !== stream.stream) return true;
  if (!hasEpoch(parts, walk, entry)) return true;
  if (row.seq > walk.seq) pushDamage(walk, row.seq, entry.prev);
  if (row.seq !== walk.seq || entry.prev !== walk.prev) return false;
  walk.seq = entry.t === 'hole' ? entry.seq + entry.count : entry.seq + 1;
  // What a hole stands for is not here, and the chain goes on from its `last`.
  walk.prev = entry.t === 'hole' ? entry.last : row.id;
  if ('obj' in entry && entry.obj !== undefined) {
    for (const ref of entry.obj)
      if (!parts.objects.isKnown(ref.h)) walk.unnamed.push({ ref, ret: entry.ret, seq: row.seq });
  }
  return true;
}

function pushDamage(walk: Walk, next: number, last: Hex256): void {
  walk.damages.push({ first: walk.seq, count: next - walk.seq, prev: walk.prev, last });
  walk.seq = next;
  walk.prev = last;
}

/** A record whose epoch's document is lost could never be archived. */
function hasEpoch({ outbox }: SpoolParts, { epochs }: Walk, entry: StreamRecord): boolean {
  const epoch = sealedPart(entry)?.epoch;
  if (epoch === undefined) return true;
  const known = epochs.get(epoch) ?? outbox.epoch(epoch) !== null;
  epochs.set(epoch, known);
  return known;
}

/** The stream's own counts against its rows and batches: a number that rotted would hide records or invent some. */
function countsFit({ batches, outbox }: SpoolParts, stream: SpoolStream): boolean {
  const { headSeq, fixedSeq, archivedSeq } = stream;
  const ordered = archivedSeq >= -1 && archivedSeq <= fixedSeq && fixedSeq <= headSeq && headSeq >= 0;
  return ordered && batches.newestArchived(stream) === archivedSeq && outbox.newestSeq(stream) <= headSeq;
}

/** A stream's row against the copy of its opening, if that can still be read. */
function isWhatItOpenedAs({ opening, stream, acct, app, role, gen }: SpoolStream): boolean {
  try {
    const entry = parseEntry(opening);
    return (
      entry.t === 'open' &&
      entry.stream === stream &&
      entry.acct === acct &&
      entry.app === app &&
      entry.role === role &&
      entry.gen === gen
    );
  } catch {
    return true;
  }
}

/** Where the chain goes on: behind the last record with a receipt, or from the stream's opening. */
function startOf(parts: SpoolParts, stream: SpoolStream): { seq: number; prev: Hex256; opening: Hex256 | null } | null {
  if (stream.archivedSeq >= 0) {
    const prev = lastArchivedId(parts, stream);
    return prev === null ? null : { seq: stream.archivedSeq + 1, prev, opening: null };
  }
  const genesis = genesisOf(parts.options.origin, stream.stream);
  const [first] = parts.outbox.read(stream, 0, 0, 1);
  if (first !== undefined && soundEntry(first)?.t === 'open') return { seq: 0, prev: genesis, opening: null };
  // A stream without its opening could not be archived at all, so it is kept twice; the next record names the right one.
  const id = openingId(stream, genesis);
  return id === null ? null : { seq: 1, prev: id, opening: id };
}

function openingId({ opening, stream }: SpoolStream, genesis: Hex256): Hex256 | null {
  try {
    const entry = parseEntry(opening);
    const fits = entry.t === 'open' && entry.stream === stream && entry.prev === genesis;
    return fits ? entryId(opening).toString('hex') : null;
  } catch {
    return null;
  }
}

/** From the row that ends there, or from its batch's statement. */
function lastArchivedId({ db, outbox }: SpoolParts, stream: SpoolStream): Hex256 | null {
  const { first, statement } = (db
    .prepare('SELECT first, statement FROM batches WHERE stream_no = ? AND last = ? AND archived_ms IS NOT NULL')
    .get(stream.no, stream.archivedSeq) ?? {}) as { first?: number; statement?: string };
  if (first === undefined || statement === undefined) return null;
  const row = outbox.read(stream, first, stream.archivedSeq, Number.MAX_SAFE_INTEGER).at(-1);
  const entry = row === undefined ? null : soundEntry(row);
  if (row !== undefined && entry?.t === 'hole' && entry.seq + entry.count - 1 === stream.archivedSeq) return entry.last;
  if (row !== undefined && entry !== null && row.seq === stream.archivedSeq) return row.id;
  try {
    return parseStatement(statement).last;
  } catch {
    return null;
  }
}
