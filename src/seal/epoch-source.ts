// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Manifest } from '../record/manifest.ts';
import { createEpoch, createEpochs, type Epoch } from './epoch.ts';

export interface EpochLimits {
  readonly maxRecords: number;
  readonly maxAgeMs: number;
}

export const EPOCH_LIMITS: EpochLimits = { maxRecords: 10_000, maxAgeMs: 3_600_000 };
const MOST_OVERRUN = 2;

/**
 * Epochs for a process: a new one at its start, and then by number of records or age. Wrapping a secret takes milliseconds and
 * is asynchronous, so the next epoch is made ahead and sealing never waits.
 */
export class EpochSource {
  readonly #manifest: Manifest;
  readonly #limits: EpochLimits;
  #current: Epoch;
  #startedMs: number;
  #next: Epoch | null = null;
  #making: Promise<void> | null = null;
  #failure: unknown = null;

  private constructor(manifest: Manifest, limits: EpochLimits, first: Epoch, nowMs: number) {
    this.#manifest = manifest;
    this.#limits = limits;
    this.#current = first;
    this.#startedMs = nowMs;
  }

  static async start(manifest: Manifest, nowMs: number, limits: EpochLimits = EPOCH_LIMITS): Promise<EpochSource> {
    const [first, next] = await createEpochs(manifest, 2);
    const source = new EpochSource(manifest, limits, first as Epoch, nowMs);
    source.#next = next as Epoch;
    return source;
  }

  /**
   * The epoch to seal the next record in. Goes on in a spent one for a while if the next is not ready, because capture must not
   * stop for it; beyond twice the limits it throws what keeps the next from being made.
   */
  current(nowMs: number): Epoch {
    if (!this.#isSpent(nowMs, 1)) return this.#current;
    if (this.#next !== null) {
      this.#current = this.#next;
      this.#startedMs = nowMs;
      this.#next = null;
      this.#failure = null;
    } else if (this.#failure !== null && this.#isSpent(nowMs, MOST_OVERRUN)) {
      void this.#prepare();
      throw this.#failure;
    }
    void this.#prepare();
    return this.#current;
  }

  #isSpent(nowMs: number, factor: number): boolean {
    const { maxRecords, maxAgeMs } = this.#limits;
    return this.#current.ratchet.index >= maxRecords * factor || nowMs - this.#startedMs >= maxAgeMs * factor;
  }

  #prepare(): Promise<void> {
    if (this.#next !== null) return Promise.resolve();
    this.#making ??= createEpoch(this.#manifest)
      .then(
        (epoch) => void (this.#next = epoch),
        (error: unknown) => void (this.#failure = error),
      )
      .finally(() => void (this.#making = null));
    return this.#making;
  }
}
