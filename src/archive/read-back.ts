// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { packKey } from '../record/layout.ts';
import type { ArchiveStore } from './store.ts';

/** What a segment says of the packs written with it. */
export interface SegmentPacks {
  /** Its first leaf, and the size of the log with it. */
  readonly first: number;
  readonly size: number;
  readonly hashes: readonly string[];
  readonly atMs: number;
}

interface WaitingPack {
  readonly hash: string;
  readonly first: number;
  readonly atMs: number;
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
  #size: number;

  /** `done`: leaves whose packs an earlier run has read back. */
  constructor(store: ArchiveStore, origin: string, afterMs: number, done: number) {
    this.#store = store;
    this.#origin = origin;
    this.#afterMs = afterMs;
    this.#size = done;
  }

  /** Leaves whose packs all read back well: up to the segment of the first pack that waits. */
  get leaves(): number {
    return this.#waiting[0]?.first ?? this.#size;
  }

  /** Takes in the log's next segment. */
  add({ first, size, hashes, atMs }: SegmentPacks): void {
    for (const hash of hashes) this.#waiting.push({ hash, first, atMs });
    this.#size = size;
  }

  /** Reads what is due. Returns true if `leaves` moved on. */
  async run(nowMs: number, signal: AbortSignal): Promise<boolean> {
    const before = this.leaves;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (signal.aborted || nowMs - next.atMs < this.#afterMs) break;
      await this.#check(next.hash);
      this.#waiting.shift();
    }
    return this.leaves > before;
  }

  async #check(hash: string): Promise<void> {
    const key = packKey(this.#origin, hash);
    const found = await this.#hashOf(key);
    if (found === hash) return;
    throw new Failure('store/readback', {
      expected: 'the bytes that the name is the hash of',
      got: found === null ? 'nothing' : 'other bytes',
      where: key,
    });
  }

  async #hashOf(key: string): Promise<string | null> {
    const found = createHash('sha256');
    try {
      for await (const chunk of await this.#store.readStream(key, '')) found.update(chunk);
    } catch (error) {
      if (error instanceof Failure && error.code === 'store/not-found') return null;
      throw error;
    }
    return found.digest('hex');
  }
}
