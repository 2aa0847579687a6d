// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync } from 'node:sqlite';
import type { Meta } from './meta.ts';

interface NextLog {
  readonly origin: string;
  readonly before?: string | undefined;
  /** Leaves of the log before that count; absent where all do. */
  readonly beforeEnd?: number | undefined;
}

/**
 * Takes a spool over from a log that ended into the one that goes on from it, in one transaction. Its streams stop: what is proven to be in
 * the old log stays there, and what is not is recorded again in streams of the new one. What receipts proved of the old log says nothing
 * of the new one. Archived rows count as of leaf 0, read back as soon as anything of the new log is: a log that ends itself does so only once
 * its packs were. What a log whose key was lost or stolen took behind its end is not in it: it counts as without a receipt.
 *
 * Crash behaviour: before the commit the spool is as it was; after it the next start goes on from here.
 */
export function goOnInNextLog(db: DatabaseSync, meta: Meta, { origin, before, beforeEnd }: NextLog): void {
  if (before === undefined || before === origin || meta.get('origin') !== before) return;
  db.exec('BEGIN');
  try {
    db.exec('DELETE FROM batches WHERE archived_ms IS NULL');
    if (beforeEnd !== undefined) forgetBehind(db, beforeEnd);
    db.exec('UPDATE batches SET leaf = 0');
    db.exec("UPDATE streams SET state = 'stopped', fixed_seq = archived_seq");
    const { no } = db.prepare('SELECT coalesce(max(no), 0) AS no FROM streams').get() as { no: number };
    meta.set('earlier', String(no));
    meta.set('unasked', '[]');
    meta.remove('checkpoint');
    meta.remove('readback');
    meta.set('origin', origin);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

/** Streams go back to before the first batch that was archived behind the end; from there all of them is recorded again. */
function forgetBehind(db: DatabaseSync, end: number): void {
  db.prepare(
    `UPDATE streams SET archived_seq = coalesce(
       (SELECT min(first) - 1 FROM batches WHERE stream_no = streams.no AND leaf >= ?), archived_seq)`,
  ).run(end);
  db.exec('DELETE FROM batches WHERE first > (SELECT archived_seq FROM streams WHERE no = batches.stream_no)');
}
