// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ArchiveReader, StoredVersion, VersionState } from '../verify/reader.ts';

export interface Rate {
  readonly bytesPerSecond: number;
  readonly requestsPerSecond: number;
}

export interface PaceTime {
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** What one page of a listing holds in S3. */
const LISTED_A_REQUEST = 1000;
/** Shorter waits are added up: timers are not that fine. */
const LEAST_WAIT_MS = 5;

/**
 * Holds a reader to a rate, however many ask it at once: whoever comes waits until what was taken before him is paid for. So in any time
 * no more is taken than the rate allows, but for one request or one piece.
 */
export class Pace {
  readonly #rate: Rate;
  readonly #time: PaceTime;
  #paidUntilMs = 0;
  requests = 0;
  bytes = 0;

  constructor(rate: Rate, time: PaceTime) {
    this.#rate = rate;
    this.#time = time;
  }

  async request(): Promise<void> {
    this.requests += 1;
    await this.#pay(1000 / this.#rate.requestsPerSecond);
  }

  async took(bytes: number): Promise<void> {
    this.bytes += bytes;
    await this.#pay((1000 * bytes) / this.#rate.bytesPerSecond);
  }

  async #pay(costMs: number): Promise<void> {
    const nowMs = this.#time.now();
    const waitMs = this.#paidUntilMs - nowMs;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs) + costMs;
    if (waitMs >= LEAST_WAIT_MS) await this.#time.sleep(waitMs);
  }
}

/** The same archive, read at a pace. */
export class PacedReader implements ArchiveReader {
  readonly #reader: ArchiveReader;
  readonly #pace: Pace;
  readonly abilities: ArchiveReader['abilities'];

  constructor(reader: ArchiveReader, pace: Pace) {
    this.#reader = reader;
    this.#pace = pace;
    this.abilities = reader.abilities;
  }

  async *listVersions(prefix: string, after?: string): AsyncGenerator<StoredVersion> {
    let listed = 0;
    for await (const version of this.#reader.listVersions(prefix, after)) {
      if (listed % LISTED_A_REQUEST === 0) await this.#pace.request();
      listed += 1;
      yield version;
    }
    if (listed === 0) await this.#pace.request();
  }

  async readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>> {
    await this.#pace.request();
    return this.#paced(await this.#reader.readStream(key, version));
  }

  async *#paced(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      await this.#pace.took(piece.length);
      yield piece;
    }
  }

  async state(key: string, version: string): Promise<VersionState | null> {
    await this.#pace.request();
    return await this.#reader.state(key, version);
  }
}
