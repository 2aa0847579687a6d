// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync } from 'node:sqlite';
import type { Meta } from './meta.ts';

/**
 * Takes a spool over from a log that ended into the one that goes on from it, in one transaction. Its streams stop: what is proven to be in
 * the old log stays there, and what is not is recorded again in streams of the new one. What receipts proved of the old log says nothing
 * of the new one. Archived rows count as of leaf 0, read back as soon as anything of the new log is: a log ends only once its packs were.
 *
 * Crash behaviour: before the commit the spool is as it was; after it the next start goes on from here.
 */
export function goOnInNextLog(
  db: DatabaseSync,
  meta: Meta,
  { origin, before }: { readonly origin: string; readonly before?: string | undefined },
): void {
  if (before === undefined || before === origin || meta.get('origin') !== before) return;
  db.exec('BEGIN');
  try {
    db.exec('DELETE FROM batches WHERE archived_ms IS NULL');
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
