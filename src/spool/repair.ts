// SPDX-License-Identifier: AGPL-3.0-or-later
import { entryId, genesisOf, parseEntry, sealedPart } from '../record/entry.ts';
import type { Hex256 } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import { asBuffer } from './batches.ts';
import { rowId } from './schema.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

interface Row {
  readonly seq: number;
  readonly line: string;
  readonly body: Uint8Array | null;
}

/** A run of rows that are missing or do not hash: what a hole will stand for. */
interface Damage {
  readonly first: number;
  readonly prev: Hex256;
  readonly count: number;
  /** Id of the last damaged record, known from the record behind it or from the stream's head. */
  readonly last: Hex256;
}

/**
 * On start: every record without a receipt is read and checked against its chain. Rows that do not hold are replaced by a signed
 * hole, so that what lies behind them can still be archived; the stream is then closed, because its spool is in doubt, and the
 * account opens a new one. Returns the number of records lost to holes.
 */
export async function repairRows(parts: SpoolParts): Promise<number> {
  let lost = 0;
  for (const stream of parts.streams.all()) {
    restoreOpening(parts, stream);
    const damages = findDamages(parts, stream);
    if (damages.length === 0) continue;
    lost += damages.reduce((sum, { count }) => sum + count, 0);
    await parts.committer.run((unit) => {
      for (const damage of damages) replaceByHole(parts, stream, damage);
      refix(parts, stream);
      if (!stream.closed) {
        parts.streams.change(unit, stream, { fixedSeq: stream.archivedSeq });
        parts.recorder.plain(unit, stream, parts.options.clock(), { t: 'close', reason: 'superseded' });
        parts.streams.change(unit, stream, { closed: true });
      } else {
        parts.streams.change(unit, stream, { fixedSeq: stream.archivedSeq });
      }
    });
  }
  return lost;
}

/** The `open` record is kept twice: a stream without it could not be archived at all. */
function restoreOpening(parts: SpoolParts, stream: SpoolStream): void {
  if (stream.archivedSeq >= 0 || isSound(readRow(parts, stream, 0))) return;
  parts.db
    .prepare('INSERT OR REPLACE INTO records(rid, line, body) SELECT ?, opening, NULL FROM streams WHERE no = ?')
    .run(rowId(stream.no, 0), stream.no);
}

function readRow(parts: SpoolParts, stream: SpoolStream, seq: number): Row | null {
  try {
    const row = parts.db.prepare('SELECT line, body FROM records WHERE rid = ?').get(rowId(stream.no, seq));
    return row === undefined ? null : { seq, line: String(row['line']), body: row['body'] as Uint8Array | null };
  } catch {
    // A page that SQLite cannot read is a damaged row like any other.
    return null;
  }
}

/** True if the row is a well-formed record of its place whose body hashes; its link to the one before is checked by the caller. */
function isSound(row: Row | null): row is Row {
  if (row === null) return false;
  try {
    const entry = parseEntry(row.line);
    const sealed = sealedPart(entry);
    if (!('seq' in entry) || entry.seq !== row.seq) return false;
    return sealed === null ? row.body === null : row.body !== null && sha256Hex(asBuffer(row.body)) === sealed.body.h;
  } catch {
    return false;
  }
}

function prevOf(line: string): Hex256 {
  return (parseEntry(line) as { prev: Hex256 }).prev;
}

function findDamages(parts: SpoolParts, stream: SpoolStream): Damage[] {
  const damages: Damage[] = [];
  let prev = stream.archivedSeq < 0 ? genesisOf(parts.options.origin, stream.stream) : lastArchivedId(parts, stream);
  for (let seq = stream.archivedSeq + 1; seq <= stream.headSeq;) {
    const row = readRow(parts, stream, seq);
    if (isSound(row) && (prev === null || prevOf(row.line) === prev)) {
      const entry = parseEntry(row.line);
      // What a hole stands for is not here, and the chain goes on from its `last`.
      prev = entry.t === 'hole' ? entry.last : entryId(row.line).toString('hex');
      seq = entry.t === 'hole' ? entry.seq + entry.count : seq + 1;
      continue;
    }
    const damage = measureDamage(parts, stream, seq, prev);
    damages.push(damage);
    prev = damage.last;
    seq = damage.first + damage.count;
  }
  return damages;
}

/** From a damaged row to the next sound one, whose `prev` names the last damaged record. */
function measureDamage(parts: SpoolParts, stream: SpoolStream, first: number, prev: Hex256 | null): Damage {
  let next = first + 1;
  for (; next <= stream.headSeq; next += 1) {
    const row = readRow(parts, stream, next);
    if (isSound(row)) return { first, prev: prev ?? '', count: next - first, last: prevOf(row.line) };
  }
  return { first, prev: prev ?? '', count: next - first, last: stream.headId };
}

/** Id of the last archived record: from its batch's statement, which outlives its row. */
function lastArchivedId(parts: SpoolParts, stream: SpoolStream): Hex256 | null {
  const row = parts.db
    .prepare('SELECT statement FROM batches WHERE stream_no = ? AND last = ?')
    .get(stream.no, stream.archivedSeq) as { statement: string } | undefined;
  return row === undefined ? null : (JSON.parse(row.statement) as { last: Hex256 }).last;
}

function replaceByHole(parts: SpoolParts, stream: SpoolStream, damage: Damage): void {
  const { first, prev, count, last } = damage;
  parts.db
    .prepare('DELETE FROM records WHERE rid BETWEEN ? AND ?')
    .run(rowId(stream.no, first), rowId(stream.no, first + count - 1));
  parts.recorder.hole(stream, parts.options.clock(), { seq: first, prev, count, last });
}

/** Batches over changed rows no longer say what is there; they are fixed again. */
function refix(parts: SpoolParts, stream: SpoolStream): void {
  parts.db.prepare('DELETE FROM batches WHERE stream_no = ? AND archived_ms IS NULL').run(stream.no);
}
