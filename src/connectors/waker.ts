// SPDX-License-Identifier: AGPL-3.0-or-later

/** Longest time a timer holds. */
const LONGEST_MS = 2 ** 31 - 1;

/** A sleep that something else may end. A wake while nobody sleeps ends the next sleep at once. */
export class Waker {
  #awake = false;
  #end: () => void = nothing;

  wake(): void {
    this.#awake = true;
    this.#end();
  }

  async sleep(forMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#awake && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.min(forMs, LONGEST_MS));
      const end = (): void => resolve();
      this.#end = end;
      signal.addEventListener('abort', end, { once: true });
      await promise;
      signal.removeEventListener('abort', end);
      clearTimeout(timer);
      this.#end = nothing;
    }
    this.#awake = false;
  }
}

function nothing(): void {
  // Nobody sleeps.
}
