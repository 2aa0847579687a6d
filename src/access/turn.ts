// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../base/failure.ts';

/** Commands that run side by side wait for one another this long; each needs a fraction of a second. */
export const TURN_WAIT_MS = 30_000;
const LOOK_MS = 15;
const SQLITE_BUSY = 5;

/**
 * Whose turn it is to write to a spool that several processes share one after the other: a command that looks, another, the process that
 * follows the log. Two locks that the system frees when their holder dies, however it dies: one for the turn, one for
 * whoever is next, so that a holder which stays can see that somebody waits, and gives way.
 */
export class Turn implements Disposable {
  readonly #directory: string;
  readonly #held: DatabaseSync;

  private constructor(directory: string, held: DatabaseSync) {
    this.#directory = directory;
    this.#held = held;
  }

  /** Throws `access/busy` if it does not come within the time. */
  static async take(directory: string, waitMs: number = TURN_WAIT_MS): Promise<Turn> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const endMs = performance.now() + waitMs;
    const next = await lockBy(join(directory, 'next.lock'), endMs);
    try {
      return new Turn(directory, await lockBy(join(directory, 'turn.lock'), endMs));
    } finally {
      next.close();
    }
  }

  /** True if another process waits for the turn. */
  get isWanted(): boolean {
    const next = tryLock(join(this.#directory, 'next.lock'));
    next?.close();
    return next === null;
  }

  [Symbol.dispose](): void {
    this.#held.close();
  }
}

async function lockBy(path: string, endMs: number): Promise<DatabaseSync> {
  for (;;) {
    const lock = tryLock(path);
    if (lock !== null) return lock;
    if (performance.now() > endMs) {
      throw new Failure('access/busy', {
        expected: 'the turn to record what is about to be shown',
        got: 'another process that keeps it',
        where: path,
        fix: 'try again; nothing was shown. If it stays, look for a `holdfast` that hangs',
      });
    }
    // Not all at the same moment.
    await sleep(LOOK_MS * (0.5 + Math.random()));
  }
}

/** An empty database that nothing is ever written to, in a transaction that excludes all others. Null if somebody has it. */
function tryLock(path: string): DatabaseSync | null {
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return null;
    throw error;
  }
}
