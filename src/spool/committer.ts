// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
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

interface Hooks {
  /** Runs inside the transaction, after all units. */
  readonly beforeCommit: () => void;
  readonly afterCommit: () => void;
  readonly onFatal: (failure: Failure) => void;
}

type Verb = 'BEGIN IMMEDIATE' | 'COMMIT' | 'SAVEPOINT unit' | 'RELEASE unit' | 'ROLLBACK TO unit';

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
  readonly #hooks: Hooks;
  readonly #verbs: Readonly<Record<Verb, StatementSync>>;
  readonly #waiting: Waiting[] = [];
  #scheduled = false;
  #refusal: Failure | null = null;

  constructor(db: DatabaseSync, hooks: Hooks) {
    this.#db = db;
    this.#hooks = hooks;
    this.#verbs = {
      'BEGIN IMMEDIATE': db.prepare('BEGIN IMMEDIATE'),
      COMMIT: db.prepare('COMMIT'),
      'SAVEPOINT unit': db.prepare('SAVEPOINT unit'),
      'RELEASE unit': db.prepare('RELEASE unit'),
      'ROLLBACK TO unit': db.prepare('ROLLBACK TO unit'),
    };
  }

  /** True once nothing more is committed: memory may then be ahead of the disk, and must not be acted on. */
  get hasEnded(): boolean {
    return this.#refusal !== null;
  }

  /** Resolves after the fsync that made the unit durable. Rejects with what the unit threw (rolled back), or with a fatal failure. */
  run<T>(work: (unit: Unit) => T): Promise<T> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal);
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

  /** Reads before a unit. An error of SQLite itself ends everything, as within one: what is on the disk is then unknown. */
  read<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (!isStorageError(cause)) throw cause;
      const fix = 'start again: what rotted becomes a hole, the rest is shipped. Replace the disk';
      const detail = { expected: 'a database that can be read', got: codeOf(cause), fix, cause };
      const failure = new Failure('spool/damaged', detail);
      this.fail(failure);
      throw failure;
    }
  }

  /** Commits what was handed in before, and takes no more. */
  async close(): Promise<void> {
    if (this.#refusal === null) await this.run(() => undefined).catch(() => undefined);
    this.#refusal ??= new Failure('spool/closed', { expected: 'an open spool', got: 'one that is closed' });
    this.#refuse(this.#waiting.splice(0), this.#refusal);
  }

  /** Ends everything: something is wrong that only a new start can put right. */
  fail(failure: Failure): void {
    if (this.#refusal !== null) return;
    this.#refusal = failure;
    this.#refuse(this.#waiting.splice(0), failure);
    this.#hooks.onFatal(failure);
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
    this.#exec('SAVEPOINT unit');
    try {
      const result = work({ undo: (revert) => reverts.push(revert) });
      this.#exec('RELEASE unit');
      return result;
    } catch (error) {
      for (const revert of reverts.toReversed()) revert();
      if (!isStorageError(error)) {
        this.#exec('ROLLBACK TO unit');
        this.#exec('RELEASE unit');
      }
      throw error;
    }
  }

  #commit(group: readonly Waiting[]): void {
    if (group.length === 0) return;
    const done: Waiting[] = [];
    try {
      this.#exec('BEGIN IMMEDIATE');
      for (const unit of group) {
        try {
          unit.run();
          done.push(unit);
        } catch (error) {
          if (isStorageError(error)) throw error;
          unit.reject(error);
        }
      }
      this.#hooks.beforeCommit();
      this.#exec('COMMIT');
    } catch (cause) {
      return this.#break(group, cause);
    }
    for (const unit of done) unit.resolve();
    this.#hooks.afterCommit();
  }

  #break(group: readonly Waiting[], cause: unknown): void {
    try {
      this.#db.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, or cannot: nothing is read from here on either way.
    }
    const failure = new Failure('spool/commit', {
      expected: 'a durable commit',
      got: codeOf(cause),
      fix: 'free space or replace the disk, then start again; nothing was acknowledged',
      cause,
    });
    this.#refuse(group, failure);
    this.fail(failure);
  }

  #refuse(group: readonly Waiting[], failure: Failure): void {
    for (const unit of group) unit.reject(failure);
  }

  #exec(verb: Verb): void {
    this.#verbs[verb].run();
  }
}

/** An error of SQLite itself, as opposed to one thrown by a unit's own code: the transaction's state is then unknown. */
function isStorageError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';
}
