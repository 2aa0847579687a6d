// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { packKey } from '../record/layout.ts';
import type { ArchiveStore } from './store.ts';

interface WaitingPack {
  readonly hash: string;
  /** Size of the log once this pack's segment is in. */
  readonly end: number;
  readonly sinceMs: number;
}

/**
 * Reads every pack again, some time after it was written and from the store as anybody would, before connectors may prune. A
 * pack that does not read back is a fatal finding: spools still have its records, and nothing more may be promised.
 */
export class ReadBack {
  readonly #store: ArchiveStore;
  readonly #origin: string;
  readonly #afterMs: number;
  readonly #waiting: WaitingPack[] = [];
  #done: number;

  constructor(store: ArchiveStore, origin: string, afterMs: number, done: number) {
    this.#store = store;
    this.#origin = origin;
    this.#afterMs = afterMs;
    this.#done = done;
  }

  /** Leaves whose packs all read back well. */
  get leaves(): number {
    return this.#done;
  }

  add(hash: string, end: number, nowMs: number): void {
    this.#waiting.push({ hash, end, sinceMs: nowMs });
  }

  /** Reads what is due. Returns true if `leaves` moved on. */
  async run(nowMs: number): Promise<boolean> {
    const before = this.#done;
    for (
      let next = this.#waiting[0];
      next !== undefined && nowMs - next.sinceMs >= this.#afterMs;
      next = this.#waiting[0]
    ) {
      await this.#check(next.hash);
      this.#waiting.shift();
      // A segment may name several packs: only behind the last of them is it done.
      const following = this.#waiting[0];
      if (following === undefined || following.end > next.end) this.#done = next.end;
    }
    return this.#done > before;
  }

  async #check(hash: string): Promise<void> {
    const key = packKey(this.#origin, hash);
    const found = createHash('sha256');
    for await (const chunk of await this.#store.readStream(key, '')) found.update(chunk);
    if (found.digest('hex') === hash) return;
    throw new Failure('store/readback', {
      expected: 'the bytes that the name is the hash of',
      got: 'other bytes',
      where: key,
    });
  }
}
