// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Events } from './events.ts';

/** Longest time for an orderly stop; after it the process ends as if killed, which is safe and only slower to recover from. */
const STOP_DEADLINE_MS = 20_000;

const STAY_MS = 3_600_000;

/** How long what is not ours may still hold a process whose parts are all disposed. */
const LEAVE_MS = 500;

export interface Running {
  /** Aborts when the process is asked to stop, or must. */
  readonly signal: AbortSignal;
  /** Ends the process with a non-zero code: an outcome is unknown, and the next start finds out. */
  readonly fatal: (error: unknown) => void;
}

/**
 * Runs one role until SIGINT, SIGTERM or a fatal failure, then disposes of its parts in reverse order, against a deadline.
 * An error that nobody handles is fatal too: a process in an unknown state must not go on.
 */
export async function runRole(
  role: string,
  events: Events,
  start: (running: Running, parts: AsyncDisposableStack) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    events.stopping(role, name);
    stop.abort();
  };
  const fatal = (error: unknown): void => {
    events.fatal(role, error);
    process.exitCode = 1;
    stop.abort();
    deadline();
  };
  // A role whose parts all only wait still runs: until it is asked to stop, whether or not anything else holds the process.
  const running = setInterval(() => undefined, STAY_MS);
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  process.on('uncaughtException', fatal).on('unhandledRejection', fatal);
  try {
    await using parts = new AsyncDisposableStack();
    await start({ signal: stop.signal, fatal }, parts);
    if (!stop.signal.aborted)
      await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }));
    deadline();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    fatal(error);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    process.off('uncaughtException', fatal).off('unhandledRejection', fatal);
    clearInterval(running);
    leave();
  }
}

/** The one way to end against the will of open handles: killed, as a crash would, so that recovery is the normal start. */
function deadline(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), STOP_DEADLINE_MS).unref();
}

/**
 * Every part is disposed, so there is nothing left to lose. A client library may have left a timer behind all the same (WhatsApp's keeps
 * one for 30 s after each upload of keys), and a container's stop must not wait for it. Not reached by a process that ends by itself.
 */
function leave(): void {
  // eslint-disable-next-line no-process-exit
  setTimeout(() => process.exit(), LEAVE_MS).unref();
}
