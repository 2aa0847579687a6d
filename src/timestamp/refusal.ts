// SPDX-License-Identifier: AGPL-3.0-or-later
import type { TimeStampCheck } from '../record/time-stamp.ts';

/** A check of a token that failed. Stays inside of this folder: outside it is a verdict. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly check: TimeStampCheck;
  readonly expected: string;
  readonly got: string;

  constructor(check: TimeStampCheck, expected: string, got: string) {
    super(`${check}: expected ${expected}, got ${got}`);
    this.check = check;
    this.expected = expected;
    this.got = got;
  }
}
