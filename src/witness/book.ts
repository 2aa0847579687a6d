// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { codeOf, Failure } from '../base/failure.ts';
import type { Cosigned } from './judge.ts';

const FILE = 'witness.db';

const SCHEMA = `CREATE TABLE IF NOT EXISTS log (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT, WITHOUT ROWID;`;

/** Looks at and changes one log's row inside of a transaction. */
export interface BookPage {
  last(origin: string): Cosigned | null;
  /** `note`: the signed checkpoint with this witness's cosignature. */
  remember(origin: string, cosigned: Cosigned, note: string): void;
}

interface Waiting {
  readonly work: (page: BookPage) => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What this witness cosigned last of each log: one row a log, and the only thing that it may never forget. Work is done one after the
 * other in a transaction that is on the disk before anybody learns what came of it; what comes at the same time shares one.
 *
 * A database from a backup is older than what was cosigned: with it, a witness would cosign a second history. So it is never restored;
 * a witness that lost it takes a new name and a new key.
 */
export class WitnessBook implements Disposable {
  readonly #db: DatabaseSync;
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;
  readonly #onFatal: (error: unknown) => void;
  #waiting: Waiting[] = [];
  #broken: Failure | null = null;

  /** Throws `witness/database`, also where another process has it open. */
  constructor(directory: string, onFatal: (error: unknown) => void) {
    this.#onFatal = onFatal;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      this.#db = new DatabaseSync(join(directory, FILE));
      this.#db.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;',
      );
      this.#db.exec(`BEGIN IMMEDIATE;${SCHEMA}COMMIT;`);
      this.#assertSound();
      this.#select = this.#db.prepare('SELECT size, root FROM log WHERE origin = ?');
      this.#upsert = this.#db.prepare(
        'INSERT INTO log VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note',
      );
    } catch (error) {
      throw error instanceof Failure ? error : unusable(directory, codeOf(error), error);
    }
  }

  #assertSound(): void {
    const row = this.#db.prepare('PRAGMA quick_check(1)').get() as { quick_check?: unknown } | undefined;
    if (row?.quick_check !== 'ok') throw unusable(FILE, 'one that is damaged');
  }

  /** Runs `work` in a transaction and resolves with its result once that is durable. Rejects if it is not known to be. */
  transact<T>(work: (page: BookPage) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== null) return reject(this.#broken);
      if (this.#waiting.length === 0) setImmediate(() => this.#commit());
      this.#waiting.push({ work, resolve: resolve as (value: never) => void, reject });
    });
  }

  #commit(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const page: BookPage = {
      last: (origin) => this.last(origin),
      remember: (origin, { size, root }, note) => void this.#upsert.run(origin, size, root, note),
    };
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const results = waiting.map(({ work }) => work(page));
      this.#db.exec('COMMIT');
      waiting.forEach(({ resolve }, index) => resolve(results[index] as never));
    } catch (error) {
      // Whether it is on the disk is not known, so nothing is answered and nothing more is done: a start finds out.
      this.#broken = new Failure('witness/commit', {
        expected: 'a transaction on the disk',
        got: codeOf(error),
        fix: 'look at the disk; the next start reads what is really there',
        cause: error,
      });
      for (const { reject } of waiting) reject(this.#broken);
      this.#onFatal(this.#broken);
    }
  }

  last(origin: string): Cosigned | null {
    const row = this.#select.get(origin) as { size: number; root: Uint8Array } | undefined;
    return row === undefined ? null : { size: row.size, root: Buffer.from(row.root) };
  }

  /** The checkpoint cosigned last, with both signatures; null if there is none. */
  note(origin: string): string | null {
    const row = this.#db.prepare('SELECT note FROM log WHERE origin = ?').get(origin) as { note: string } | undefined;
    return row?.note ?? null;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

function unusable(where: string, got: string, cause?: unknown): Failure {
  return new Failure('witness/database', {
    expected: 'a database of this witness, for this process alone',
    got,
    where,
    fix: 'end the other process, or mend the disk. Never restore an older copy: a witness that lost its database takes a new name and key',
    ...(cause === undefined ? {} : { cause }),
  });
}
