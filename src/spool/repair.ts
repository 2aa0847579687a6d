// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Hex256 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { boundariesHold } from './boundaries.ts';
import type { Unit } from './committer.ts';
import { inspectRows, type Damage, type Inspected } from './inspect.ts';
import { opaque } from './orphans.ts';
import type { StoredRecord } from './outbox.ts';
import { rowId } from './schema.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

export interface Repaired {
  /** Records that holes stand for. */
  readonly lost: number;
  /** Streams of which not even that could be told: what is left of them goes into new ones. */
  readonly stopped: number;
}

/**
 * On start: every record without a receipt is read and checked. Rows that do not hold are replaced by a signed hole, so that what
 * lies behind them can still be archived; the stream is then closed, because its spool is in doubt, and the account opens a
 * new one. Their bytes are kept. Each stream is repaired in one transaction: a crash leaves it as it was, to be repaired again.
 */
export async function repairRows(parts: SpoolParts): Promise<Repaired> {
  let lost = 0;
  let stopped = 0;
  for (const stream of parts.streams.all()) {
    if (stream.state === 'stopped') continue;
    const found = inspectRows(parts, stream);
    if (found !== null && (await repairOne(parts, stream, found))) {
      lost += found.damages.reduce((sum, { count }) => sum + count, 0);
    } else {
      await stop(parts, stream);
      stopped += 1;
    }
  }
  return { lost, stopped };
}

/** False if what is left does not make well-formed records. */
async function repairOne(parts: SpoolParts, stream: SpoolStream, found: Inspected): Promise<boolean> {
  try {
    const { damages, opening, unnamed } = found;
    if (opening !== null || damages.length + unnamed.length > 0)
      await parts.committer.run((unit) => mend(parts, unit, stream, found));
    if (!boundariesHold(parts, stream)) await parts.committer.run((unit) => parts.batches.dropFrom(unit, stream, 0));
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

function mend(parts: SpoolParts, unit: Unit, stream: SpoolStream, { opening, unnamed, damages }: Inspected): void {
  const { batches, objects, options, recorder, streams } = parts;
  if (opening !== null) putOpening(parts, stream, opening);
  for (const { ref, ret, seq } of unnamed) objects.move(ref, { ret, streamNo: stream.no, seq });
  const [first] = damages;
  if (first === undefined) return;
  for (const damage of damages) replaceByHole(parts, stream, damage);
  batches.dropFrom(unit, stream, first.first);
  if (stream.state !== 'open') return;
  recorder.plain(unit, stream, options.clock(), { t: 'close', reason: 'superseded' });
  streams.change(unit, stream, { state: 'closed' });
}

function putOpening({ db }: SpoolParts, stream: SpoolStream, id: Hex256): void {
  db.prepare('INSERT OR REPLACE INTO records(rid, id, line, body) VALUES (?, ?, ?, NULL)').run(
    rowId(stream.no, 0),
    Buffer.from(id, 'hex'),
    stream.opening,
  );
}

/** Rows as they are, one after the other. */
function* rowsOf({ outbox }: SpoolParts, stream: SpoolStream, first: number, last: number): Generator<StoredRecord> {
  for (let from = first; from <= last;) {
    const rows = outbox.read(stream, from, last, 64);
    yield* rows;
    from = (rows.at(-1)?.seq ?? last) + 1;
  }
}

function replaceByHole(parts: SpoolParts, stream: SpoolStream, { first, count, prev, last }: Damage): void {
  const end = first + count - 1;
  for (const row of rowsOf(parts, stream, first, end)) parts.remains.keep(stream.acct, opaque(parts.outbox, row));
  parts.db.prepare('DELETE FROM records WHERE rid BETWEEN ? AND ?').run(rowId(stream.no, first), rowId(stream.no, end));
  parts.recorder.hole(stream, parts.options.clock(), { seq: first, prev, count, last });
  parts.seen.forget(stream.no, first, end);
}

/** What its own rows say of a stream does not fit together: it is written no further, and all rows count as unsent. */
function stop({ committer, batches, outbox, streams, db }: SpoolParts, stream: SpoolStream): Promise<void> {
  const { last } = db
    .prepare('SELECT coalesce(max(last), -1) AS last FROM batches WHERE stream_no = ? AND archived_ms IS NOT NULL')
    .get(stream.no) as { last: number };
  const archivedSeq = Math.max(-1, Math.min(stream.archivedSeq, last));
  const headSeq = Math.max(stream.headSeq, outbox.newestSeq(stream));
  return committer.run((unit) => {
    streams.change(unit, stream, { state: 'stopped', archivedSeq, headSeq });
    batches.dropFrom(unit, stream, 0);
  });
}
