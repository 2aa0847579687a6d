// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Manifest } from '../record/manifest.ts';
import { createEpoch, type Epoch } from './epoch.ts';

export interface EpochLimits {
  readonly maxRecords: number;
  readonly maxAgeMs: number;
}

export const EPOCH_LIMITS: EpochLimits = { maxRecords: 10_000, maxAgeMs: 3_600_000 };

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
    const source = new EpochSource(manifest, limits, await createEpoch(manifest), nowMs);
    await source.#prepare();
    return source;
  }

  /** The epoch to seal the next record in. Throws what making the next epoch threw, if it could not be made. */
  current(nowMs: number): Epoch {
    if (!this.#isSpent(nowMs)) return this.#current;
    if (this.#next !== null) {
      this.#current = this.#next;
      this.#startedMs = nowMs;
      this.#next = null;
      void this.#prepare();
    } else if (this.#failure !== null) {
      throw this.#failure;
    }
    return this.#current;
  }

  #isSpent(nowMs: number): boolean {
    const { maxRecords, maxAgeMs } = this.#limits;
    return this.#current.ratchet.index >= maxRecords || nowMs - this.#startedMs >= maxAgeMs;
  }

  #prepare(): Promise<void> {
    this.#making ??= createEpoch(this.#manifest)
      .then(
        (epoch) => void (this.#next = epoch),
        (error: unknown) => void (this.#failure = error),
      )
      .finally(() => void (this.#making = null));
    return this.#making;
  }
}
