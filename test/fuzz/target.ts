// SPDX-License-Identifier: AGPL-3.0-or-later

/** A parser of bytes that anybody may have written. */
export interface Target {
  readonly name: string;
  /** What it accepts, to be changed at random. */
  readonly examples: readonly Buffer[];
  /** MUST return, or throw an error with a documented code, whatever the bytes are. */
  readonly read: (bytes: Buffer) => unknown;
  /**
   * Makes hashes and signatures right again, as whoever holds the keys could, so that what lies behind them is reached. What it throws means
   * that the bytes are too far from an example.
   */
  readonly mend?: (bytes: Buffer) => Buffer;
  /** How many times slower than most it is, so that it gets its share of the time and not more. */
  readonly slowness?: number;
}
