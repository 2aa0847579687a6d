// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../base/failure.ts';
import { unlessAborted } from '../waiting.ts';

/**
 * The right of one connection to change the account's state. Two connections must never write one ratchet: before a new one is made,
 * the fence of the one before falls, and what it had under way is waited for.
 */
export class Fence {
  /** Grows with every connection of the account, over restarts too. */
  readonly number: number;
  readonly #fallen = new AbortController();

  constructor(number: number) {
    this.number = number;
  }

  get signal(): AbortSignal {
    return this.#fallen.signal;
  }

  get hasFallen(): boolean {
    return this.#fallen.signal.aborted;
  }

  fall(): void {
    this.#fallen.abort();
  }

  assertStanding(): void {
    if (this.hasFallen) throw stopped();
  }

  /** Waits, unless the fence falls first. What has settled already counts, even then. */
  unlessFallen<T>(wait: Promise<T>): Promise<T> {
    return unlessAborted(wait, this.signal, stopped);
  }
}

/** For what no connection holds: only the end of the run stops it. */
export function fenceUntil(signal: AbortSignal): Disposable & { readonly fence: Fence } {
  const fence = new Fence(0);
  const fall = (): void => fence.fall();
  signal.addEventListener('abort', fall, { once: true });
  if (signal.aborted) fall();
  return { fence, [Symbol.dispose]: () => signal.removeEventListener('abort', fall) };
}

export function stopped(): Failure {
  return new Failure('whatsapp/stopped', { expected: 'a connection that holds the account', got: 'one that ended' });
}

/** What the client gets instead of an error it would answer with a refusal: nothing, so that it acknowledges nothing. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}
