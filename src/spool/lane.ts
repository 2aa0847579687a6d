// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FixedBatch } from './batches.ts';
import type { Spool } from './spool.ts';
import type { SpoolStream } from './streams.ts';

export interface LaneParts {
  readonly spool: Spool;
  readonly stream: SpoolStream;
  readonly send: (batch: FixedBatch, again: boolean) => Promise<void>;
  readonly onFailure: (stream: SpoolStream, error: unknown) => void;
  readonly isStopped: () => boolean;
}

/** What is asked for again within this time is on its way. */
const WANT_QUIET_MS = 200;

/** The way of one stream: its batches go one after the other, in their order. Times are of the monotonic clock. */
export class Lane {
  readonly #p: LaneParts;
  #sentSeq = -1;
  #movedMs = performance.now();
  #rewoundMs = -Infinity;
  #rewind = false;
  #again = false;
  #running: Promise<void> | null = null;
  #wanted = false;
  /** While held nothing is sent. */
  #held = false;

  constructor(parts: LaneParts) {
    this.#p = parts;
  }

  /** Resolves when nothing is being sent. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.ship();
  }

  /** Sends what is fixed and not yet sent. */
  ship(): void {
    this.#wanted = true;
    this.#running ??= this.#run();
  }

  /** Something of this stream was archived: no need to hurry with sending again. */
  moved(): void {
    this.#movedMs = performance.now();
  }

  /** Sends from the first batch without a receipt, if nothing moved for too long. */
  reconcile(againAfterMs: number): void {
    const { archivedSeq, fixedSeq } = this.#p.stream;
    if (archivedSeq >= fixedSeq) return;
    if (this.#sentSeq < fixedSeq && this.#running === null) this.ship();
    else if (performance.now() - this.#movedMs >= againAfterMs) this.#sendAgain();
  }

  /** The log's next record of this stream is `seq`. */
  want(seq: number): void {
    // What was not sent yet comes by itself; what was just sent again is on its way.
    if (seq > this.#sentSeq) return this.ship();
    if (performance.now() - this.#rewoundMs >= WANT_QUIET_MS) this.#sendAgain();
  }

  #sendAgain(): void {
    this.#rewind = true;
    this.ship();
  }

  async #run(): Promise<void> {
    // Not in the same turn: a commit that calls this must be through first.
    await Promise.resolve();
    try {
      while (this.#wanted) {
        this.#wanted = false;
        await this.#sendWaiting();
      }
    } catch (error) {
      this.#p.onFailure(this.#p.stream, error);
    } finally {
      this.#running = null;
    }
  }

  async #sendWaiting(): Promise<void> {
    const { spool, stream, isStopped } = this.#p;
    for (;;) {
      if (this.#rewind) {
        this.#rewind = false;
        this.#again = true;
        this.#sentSeq = -1;
        this.#rewoundMs = performance.now();
      }
      if (isStopped() || spool.hasEnded || this.#held || stream.state === 'stopped') return;
      const from = Math.max(stream.archivedSeq, this.#sentSeq) + 1;
      const batch = spool.batches.unarchived(stream, from, 1)[0];
      if (batch === undefined) return;
      await this.#p.send(batch, this.#again);
      // The first that is sent says it for all: each one that does sets the log's receipts back to where this spool's stand.
      this.#again = false;
      this.#movedMs = performance.now();
      if (!this.#rewind) this.#sentSeq = batch.last;
    }
  }
}
