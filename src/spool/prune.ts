// SPDX-License-Identifier: AGPL-3.0-or-later
import type { StatementSync } from 'node:sqlite';
import type { SpoolParts } from './spool.ts';
import { rowId } from './schema.ts';

const DAY_MS = 86_400_000;
/** Rows stay this long after their receipt. */
export const KEEP_MS = 7 * DAY_MS;
/** Longer than any intake repeats itself: signal-cli's journal and the messenger's own queue. */
const KEEP_SEEN_MS = 60 * DAY_MS;
/** Batches per transaction, so that pruning never holds up a commit for long. */
const BATCHES_AT_ONCE = 64;

interface PrunableRow {
  readonly stream_no: number;
  readonly first: number;
  readonly last: number;
}

/** Removes records that are archived, whose packs were read back, and whose time is up. A stream's newest batch always stays. */
export class Pruner {
  readonly #parts: SpoolParts;
  readonly #prunable: StatementSync;
  readonly #deleteRecords: StatementSync;
  readonly #deleteBatch: StatementSync;
  readonly #objectsOf: StatementSync;
  readonly #deleteObjects: StatementSync;
  readonly #deleteEpochs: StatementSync;
  readonly #deleteSeen: StatementSync;

  constructor(parts: SpoolParts) {
    const { db } = parts;
    this.#parts = parts;
    this.#prunable = db.prepare(
      `SELECT stream_no, first, last FROM batches b WHERE archived_ms < ? AND leaf < ?
       AND EXISTS (SELECT 1 FROM batches later WHERE later.stream_no = b.stream_no AND later.first > b.first) LIMIT ?`,
    );
    this.#deleteRecords = db.prepare('DELETE FROM records WHERE rid BETWEEN ? AND ?');
    this.#deleteBatch = db.prepare('DELETE FROM batches WHERE stream_no = ? AND first = ?');
    this.#objectsOf = db.prepare('SELECT hash FROM objects WHERE stream_no = ? AND seq BETWEEN ? AND ?');
    this.#deleteObjects = db.prepare('DELETE FROM objects WHERE stream_no = ? AND seq BETWEEN ? AND ?');
    // An epoch lives an hour; a day behind the oldest record kept is far enough.
    this.#deleteEpochs = db.prepare(
      'DELETE FROM epochs WHERE last_ms < ? AND (SELECT count(*) FROM batches WHERE archived_ms IS NULL) = 0',
    );
    this.#deleteSeen = db.prepare('DELETE FROM seen WHERE first_ms < ?');
  }

  async prune(): Promise<number> {
    const nowMs = this.#parts.options.clock();
    let pruned = 0;
    for (;;) {
      const { records, files, batches } = await this.#parts.committer.run(() => this.#pruneSome(nowMs));
      // Files go after their rows: a crash between leaves files without rows, which the next start removes.
      for (const hash of files) await this.#parts.objects.remove(hash);
      pruned += records;
      if (batches < BATCHES_AT_ONCE) break;
    }
    await this.#parts.committer.run(() => {
      this.#deleteEpochs.run(nowMs - KEEP_MS - DAY_MS);
      this.#deleteSeen.run(nowMs - KEEP_SEEN_MS);
    });
    return pruned;
  }

  #pruneSome(nowMs: number): { records: number; files: string[]; batches: number } {
    const readBack = Number(this.#readBack());
    const rows = this.#prunable.all(nowMs - KEEP_MS, readBack, BATCHES_AT_ONCE) as unknown as PrunableRow[];
    const files: string[] = [];
    let records = 0;
    for (const { stream_no, first, last } of rows) {
      records += Number(this.#deleteRecords.run(rowId(stream_no, first), rowId(stream_no, last)).changes);
      for (const { hash } of this.#objectsOf.all(stream_no, first, last) as unknown as { hash: string }[])
        files.push(hash);
      this.#deleteObjects.run(stream_no, first, last);
      this.#deleteBatch.run(stream_no, first);
    }
    return { records, files, batches: rows.length };
  }

  #readBack(): number {
    const row = this.#parts.db.prepare("SELECT value FROM meta WHERE name = 'readback'").get() as
      | { value: number }
      | undefined;
    return row?.value ?? 0;
  }
}
