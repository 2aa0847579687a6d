// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync } from 'node:sqlite';
import { codeOf, Failure } from '../base/failure.ts';

/** What a unit of work may tell the committer. */
export interface Unit {
  /** Undoes a change of memory if this unit is rolled back; called in reverse order. */
  undo(revert: () => void): void;
}

interface Waiting {
  run(): void;
  resolve(): void;
  reject(error: unknown): void;
}

/** More units than this wait for the next commit: bounds the time a commit takes. */
const MOST_UNITS = 512;

/**
 * Group commit: whatever waits goes into one transaction, so one fsync serves all. Each unit is atomic by itself (a savepoint).
 *
 * Crash behaviour: nobody is told before COMMIT returned. A failed COMMIT (disk full, I/O error) has an unknown outcome: this
 * committer refuses everything from then on, `onFatal` ends the process, and the next start reads what is really there.
 */
export class Committer {
  readonly #db: DatabaseSync;
  readonly #beforeCommit: () => void;
  readonly #afterCommit: () => void;
  readonly #onFatal: (failure: Failure) => void;
  readonly #waiting: Waiting[] = [];
  #scheduled = false;
  #broken: Failure | null = null;

  constructor(
    db: DatabaseSync,
    hooks: { beforeCommit: () => void; afterCommit: () => void; onFatal: (failure: Failure) => void },
  ) {
    this.#db = db;
    this.#beforeCommit = hooks.beforeCommit;
    this.#afterCommit = hooks.afterCommit;
    this.#onFatal = hooks.onFatal;
  }

  /** Resolves after the fsync that made the unit durable. Rejects with what the unit threw (rolled back), or with a fatal failure. */
  run<T>(work: (unit: Unit) => T): Promise<T> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    return new Promise<T>((resolve, reject) => {
      let result: T;
      this.#waiting.push({
        run: () => (result = this.#isolated(work)),
        resolve: () => resolve(result),
        reject,
      });
      this.#schedule();
    });
  }

  /** Waits until everything handed in before is committed. */
  async settle(): Promise<void> {
    if (this.#broken === null) await this.run(() => undefined);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Everything that arrives in this turn of the event loop shares the fsync.
    setImmediate(() => {
      this.#scheduled = false;
      this.#commit(this.#waiting.splice(0, MOST_UNITS));
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #isolated<T>(work: (unit: Unit) => T): T {
    const reverts: (() => void)[] = [];
    this.#db.exec('SAVEPOINT unit');
    try {
      const result = work({ undo: (revert) => reverts.push(revert) });
      this.#db.exec('RELEASE unit');
      return result;
    } catch (error) {
      this.#db.exec('ROLLBACK TO unit; RELEASE unit');
      for (const revert of reverts.toReversed()) revert();
      throw error;
    }
  }

  #commit(group: readonly Waiting[]): void {
    if (this.#broken !== null) return this.#refuse(group, this.#broken);
    const done: Waiting[] = [];
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      for (const unit of group) {
        try {
          unit.run();
          done.push(unit);
        } catch (error) {
          if (isStorageError(error)) throw error;
          unit.reject(error);
        }
      }
      this.#beforeCommit();
      this.#db.exec('COMMIT');
    } catch (cause) {
      return this.#break(group, cause);
    }
    for (const unit of done) unit.resolve();
    this.#afterCommit();
  }

  #break(group: readonly Waiting[], cause: unknown): void {
    this.#broken = new Failure('spool/commit', {
      expected: 'a durable commit',
      got: codeOf(cause),
      fix: 'free space or replace the disk, then start again; nothing was acknowledged',
      cause,
    });
    this.#refuse([...group, ...this.#waiting.splice(0)], this.#broken);
    this.#onFatal(this.#broken);
  }

  #refuse(group: readonly Waiting[], failure: Failure): void {
    for (const unit of group) unit.reject(failure);
  }
}

/** An error of SQLite itself, as opposed to one thrown by a unit's own code: the transaction's state is then unknown. */
function isStorageError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';
}
