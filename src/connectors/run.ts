// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../base/failure.ts';
import type { Session } from './connector.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
/** A session that ran this long was well: the next pause is short again. */
const WELL_AFTER_MS = 300_000;

/**
 * Keeps one session running until `signal` aborts: a session that throws is started again after a growing pause. Only a fatal
 * failure ends it, because then the process must end.
 */
export async function keepRunning(
  session: Session,
  signal: AbortSignal,
  clock: () => number,
  onTrouble: (error: unknown) => void,
): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted;) {
    const startedMs = clock();
    try {
      await session.run(signal);
      if (signal.aborted) return;
    } catch (error) {
      if (signal.aborted) return;
      if (isFailure(error, 'fatal')) throw error;
      onTrouble(error);
    }
    if (clock() - startedMs >= WELL_AFTER_MS) pauseMs = FIRST_PAUSE_MS;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Runs the parts of one session: the first that fails stops the others, and its error is thrown once all have ended. */
export async function untilFirstFailure(
  signal: AbortSignal,
  run: (stopping: AbortSignal, fail: (error: unknown) => void) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const failures: unknown[] = [];
  const fail = (error: unknown): void => {
    failures.push(error);
    stop.abort();
  };
  const onAbort = (): void => stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) stop.abort();
  try {
    await run(stop.signal, fail);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  if (failures.length > 0) throw failures[0];
}
