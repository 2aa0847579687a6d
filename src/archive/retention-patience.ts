// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../base/failure.ts';

const MOST_PAUSE_MS = 60_000;

/** Work in the background: slow by choice, and not in a hurry when the store is away. */
export class Patience {
  readonly #pauseMs: number;
  readonly signal: AbortSignal;

  constructor(pauseMs: number, signal: AbortSignal) {
    this.#pauseMs = pauseMs;
    this.signal = signal;
  }

  /** Repeats what may succeed later, without limit. Null when the work is to end. */
  async call<T>(act: () => Promise<T>): Promise<T | null> {
    for (
      let pauseMs = Math.max(this.#pauseMs, 1);
      !this.signal.aborted;
      pauseMs = Math.min(pauseMs * 4, MOST_PAUSE_MS)
    ) {
      try {
        return await act();
      } catch (error) {
        if (!isFailure(error, 'retry')) throw error;
        await this.#sleep(pauseMs);
      }
    }
    return null;
  }

  /** So that keeping the old never crowds out writing the new. */
  pause(): Promise<void> {
    return this.#sleep(this.#pauseMs);
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal, ref: false }).catch(() => undefined);
  }
}
