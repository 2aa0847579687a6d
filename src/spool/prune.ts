// SPDX-License-Identifier: AGPL-3.0-or-later
import type { StatementSync } from 'node:sqlite';
import { parseEntry, sealedPart } from '../record/entry.ts';
import type { Hex256 } from '../record/entry-types.ts';
import { rowId } from './schema.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

const DAY_MS = 86_400_000;
/** Rows stay this long after their receipt. */
export const KEEP_MS = 7 * DAY_MS;
/** Longer than any intake repeats itself: signal-cli's journal and the messenger's own queue. */
const KEEP_SEEN_MS = 60 * DAY_MS;
/** Per transaction, so that pruning never holds up a commit for long. */
const BATCHES_AT_ONCE = 16;
const SEEN_AT_ONCE = 2000;
const PAGES_AT_ONCE = 256;
/** Free pages that are kept for what comes next; the rest goes back to the volume. */
const SPARE_PAGES = 4096;

interface PrunableRow {
  readonly stream_no: number;
  readonly first: number;
  readonly last: number;
}

/** Removes records that are archived, whose packs were read back, and whose time is up. A stream's newest archived batch always stays. */
export class Pruner {
  readonly #parts: SpoolParts;
  readonly #prunable: StatementSync;
  readonly #deleteRecords: StatementSync;
  readonly #deleteBatch: StatementSync;
  readonly #objectsOf: StatementSync;
  readonly #deleteObjects: StatementSync;
  readonly #deleteSeen: StatementSync;
  readonly #epochNo: StatementSync;
  readonly #deleteEpochs: StatementSync;
  readonly #freePages: StatementSync;

  constructor(parts: SpoolParts) {
    const { db } = parts;
    this.#parts = parts;
    this.#prunable = db.prepare(
      `SELECT stream_no, first, last FROM batches b WHERE archived_ms < ? AND leaf < ?
       AND last < (SELECT archived_seq FROM streams WHERE no = b.stream_no) LIMIT ?`,
    );
    this.#deleteRecords = db.prepare('DELETE FROM records WHERE rid BETWEEN ? AND ?');
    this.#deleteBatch = db.prepare('DELETE FROM batches WHERE stream_no = ? AND first = ?');
    this.#objectsOf = db.prepare('SELECT hash FROM objects WHERE stream_no = ? AND seq BETWEEN ? AND ?');
    this.#deleteObjects = db.prepare('DELETE FROM objects WHERE stream_no = ? AND seq BETWEEN ? AND ?');
    this.#deleteSeen = db.prepare(
      'DELETE FROM seen WHERE (tag, mac) IN (SELECT tag, mac FROM seen WHERE first_ms < ? LIMIT ?)',
    );
    this.#epochNo = db.prepare('SELECT no FROM epochs WHERE id = ?');
    // The newest may be the one in use, for which no row is written again.
    this.#deleteEpochs = db.prepare(
      'DELETE FROM epochs WHERE no < ? AND first_ms < ? AND no < (SELECT max(no) FROM epochs)',
    );
    this.#freePages = db.prepare('PRAGMA freelist_count');
  }

  async prune(): Promise<number> {
    const { committer, objects, options } = this.#parts;
    const nowMs = options.clock();
    let pruned = 0;
    for (let more = true; more;) {
      const { records, files, batches } = await committer.run(() => this.#pruneSome(nowMs));
      // Files go after their rows: a crash between leaves files without rows, which the next start removes.
      for (const hash of files) await objects.remove(hash);
      pruned += records;
      more = batches === BATCHES_AT_ONCE;
    }
    for (let more = true; more;) {
      more = await committer.run(
        () => this.#deleteSeen.run(nowMs - KEEP_SEEN_MS, SEEN_AT_ONCE).changes === SEEN_AT_ONCE,
      );
    }
    await committer.run(() => this.#pruneEpochs(nowMs));
    await this.#giveBack();
    return pruned;
  }

  #pruneSome(nowMs: number): { records: number; files: string[]; batches: number } {
    const readBack = Number(this.#parts.meta.get('readback') ?? 0);
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

  /** Epochs are used one after the other: those before the oldest that a record without a receipt names are not needed again. */
  #pruneEpochs(nowMs: number): void {
    const needed = this.#parts.streams.all().map((stream) => this.#oldestEpoch(stream));
    this.#deleteEpochs.run(Math.min(Number.MAX_SAFE_INTEGER, ...needed), nowMs - KEEP_MS);
  }

  #oldestEpoch(stream: SpoolStream): number {
    for (let from = stream.archivedSeq + 1; from <= stream.headSeq;) {
      const records = this.#parts.outbox.read(stream, from, stream.headSeq, 64);
      for (const { line } of records) {
        const epoch = epochOf(line);
        if (epoch !== null) return (this.#epochNo.get(epoch) as { no: number } | undefined)?.no ?? 0;
      }
      from = (records.at(-1)?.seq ?? stream.headSeq) + 1;
    }
    return Number.MAX_SAFE_INTEGER;
  }

  /** A file that an outage made large would hold the volume over its marks for ever. */
  async #giveBack(): Promise<void> {
    const { committer, db } = this.#parts;
    const free = (): number => Number(this.#freePages.get()?.['freelist_count']);
    for (let before = Infinity; free() > SPARE_PAGES && free() < before;) {
      before = free();
      await committer.run(() => db.exec(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`));
    }
  }
}

function epochOf(line: string): Hex256 | null {
  try {
    return sealedPart(parseEntry(line))?.epoch ?? null;
  } catch {
    // A line that rotted: the next start makes a hole of it.
    return null;
  }
}
