// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FailureCode } from '../base/failure.ts';

/** One line of the table that `doctor` prints. `fail` stops the service; `note` chooses another way to the same end, or warns. */
export interface ProbeFinding {
  readonly check: string;
  readonly level: 'ok' | 'note' | 'fail';
  readonly expected: string;
  readonly got: string;
  /** Empty where there is nothing to do. */
  readonly fix: string;
  /** The failure that a `fail` stands for. */
  readonly code: FailureCode | null;
}

export function fine(check: string, expected: string, got: string = expected): ProbeFinding {
  return { check, level: 'ok', expected, got, fix: '', code: null };
}

export function note(check: string, expected: string, got: string, fix: string): ProbeFinding {
  return { check, level: 'note', expected, got, fix, code: null };
}

export function fail(check: string, code: FailureCode, expected: string, got: string, fix: string): ProbeFinding {
  return { check, level: 'fail', expected, got, fix, code };
}
