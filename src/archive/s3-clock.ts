// SPDX-License-Identifier: AGPL-3.0-or-later

const FRESH_MS = 60_000;
/** `Date` headers carry whole seconds: on average half a second is missing. */
const TRUNCATED_MS = 500;

interface Reading {
  readonly serverMs: number;
  readonly localMs: number;
  readonly steadyMs: number;
}

/**
 * The server's clock as its `Date` headers tell it. Never ahead of the server: a retention computed from it is never too short
 * by our clock.
 */
export class ServerClock {
  readonly #now: () => number;
  readonly #steady: () => number;
  #latest: Reading | null = null;

  constructor(now: () => number = Date.now, steady: () => number = () => performance.now()) {
    this.#now = now;
    this.#steady = steady;
  }

  observe(dateHeader: string | undefined): void {
    const serverMs = dateHeader === undefined ? Number.NaN : Date.parse(dateHeader);
    if (Number.isNaN(serverMs)) return;
    this.#latest = { serverMs, localMs: this.#now(), steadyMs: this.#steady() };
  }

  /** Null if no header is recent. Both clocks must agree on that: the steady one stands still while a machine sleeps. */
  timeMs(): number | null {
    if (this.#latest === null) return null;
    const steadyMs = this.#steady() - this.#latest.steadyMs;
    const localMs = this.#now() - this.#latest.localMs;
    if (steadyMs > FRESH_MS || localMs > FRESH_MS || localMs < 0) return null;
    return Math.floor(this.#latest.serverMs + steadyMs);
  }

  /** How far our clock is ahead of the server's, within about a second. Null before the first answer. */
  skewMs(): number | null {
    return this.#latest === null ? null : Math.round(this.#latest.localMs - this.#latest.serverMs - TRUNCATED_MS);
  }
}
