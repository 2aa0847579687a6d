// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../src/base/failure.ts';
import type { Uplink } from '../../src/queue/link.ts';
import type { KeyId } from '../../src/record/key.ts';
import { SeededRandom } from './random.ts';

/** Chances between 0 and 1. */
export interface Faults {
  readonly lose: number;
  readonly repeat: number;
  /** Of being late by up to 50 ms, so that others overtake. */
  readonly late: number;
}

export const NO_FAULTS: Faults = { lose: 0, repeat: 0, late: 0 };

/** A transport that loses, repeats and reorders jobs and replies, the same way for the same seed. */
export class LossyLink {
  readonly #random: SeededRandom;
  readonly #listeners = new Map<KeyId, (reply: string) => Promise<void> | void>();
  readonly #mail = new Map<KeyId, Promise<void>>();
  readonly #take: (job: string) => void;
  faults: Faults = NO_FAULTS;
  /** Senders are told that the transport is away. */
  isAway = false;
  sent = 0;

  constructor(take: (job: string) => void, seed = 1) {
    this.#take = take;
    this.#random = new SeededRandom(seed);
  }

  uplink(connector: KeyId): Uplink {
    return {
      connected: true,
      send: async (_id, job) => {
        if (this.isAway) throw new Failure('store/unreachable', { expected: 'a transport', got: 'none' });
        this.sent += 1;
        this.#carry(() => this.#take(job));
      },
      listen: async (onReply) => void this.#listeners.set(connector, onReply),
      [Symbol.asyncDispose]: async () => void this.#listeners.delete(connector),
    };
  }

  /** The archiver's way back. */
  reply(to: KeyId, text: string): void {
    this.#carry(() => {
      const before = this.#mail.get(to) ?? Promise.resolve();
      const next = before.then(() => this.#listeners.get(to)?.(text)).catch(() => undefined);
      this.#mail.set(to, next);
    });
  }

  #carry(deliver: () => void): void {
    const { lose, repeat, late } = this.faults;
    if (this.#random.next() < lose) return;
    const copies = this.#random.next() < repeat ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = this.#random.next() < late ? this.#random.below(50) : 0;
      setTimeout(deliver, delayMs);
    }
  }
}
