// SPDX-License-Identifier: AGPL-3.0-or-later
import { verifyStatement } from '../record/batch.ts';
import { signingKeyOf } from '../record/key.ts';
import type { FixedBatch } from './batches.ts';
import { rowId } from './schema.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

/** True if the fixed batches without a receipt lie one behind the other over the rows that are there, each under its signature. */
export function boundariesHold(parts: SpoolParts, stream: SpoolStream): boolean {
  try {
    let next = stream.archivedSeq + 1;
    for (const batch of parts.batches.unarchived(stream, 0, Number.MAX_SAFE_INTEGER)) {
      if (batch.first !== next || !isWhole(parts, batch)) return false;
      next = batch.last + 1;
    }
    return stream.fixedSeq === next - 1;
  } catch {
    // A statement that no longer parses or verifies.
    return false;
  }
}

function isWhole({ db, batches, options, keyId }: SpoolParts, { stream, first, last, statement }: FixedBatch): boolean {
  const { count, holeInside } = db
    .prepare(
      `SELECT count(*) AS count, coalesce(min(rid) FILTER (WHERE instr(line, '"t":"hole"') > 0) < max(rid), 0) AS holeInside
       FROM records WHERE rid BETWEEN ? AND ?`,
    )
    .get(rowId(stream.no, first), rowId(stream.no, last)) as { count: number; holeInside: number };
  // One signed with an earlier key is the archiver's to judge.
  if (statement.key === keyId) verifyStatement(statement, signingKeyOf(options.signingKey));
  return (
    statement.origin === options.origin &&
    statement.stream === stream.stream &&
    statement.gen === stream.gen &&
    statement.first === first &&
    statement.count === count &&
    holeInside === 0 &&
    batches.lastIdAt(stream, last) === statement.last
  );
}
