// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from '../base/failure.ts';
import { FormatError } from '../record/format-error.ts';

/** One line of the doctor's table. */
export interface Check {
  readonly area: string;
  readonly check: string;
  readonly level: 'ok' | 'note' | 'fail';
  readonly expected: string;
  readonly got: string;
  readonly fix: string;
}

export const ok = (area: string, check: string, got: string): Check => ({
  area,
  check,
  level: 'ok',
  expected: got,
  got,
  fix: '',
});

/** What is no fault, and worth knowing. */
export function note(area: string, check: string, expected: string, got: string, fix: string): Check {
  return { area, check, level: 'note', expected, got, fix };
}

/** A failure as a line of the table: the same words the command itself would fail with. */
export function failed(area: string, check: string, error: unknown): Check {
  const { expected, got, fix } =
    error instanceof Failure
      ? { ...error.detail, fix: error.detail.fix ?? '' }
      : error instanceof FormatError
        ? { expected: error.expected, got: error.got, fix: '' }
        : { expected: 'no error', got: codeOf(error), fix: '' };
  return { area, check, level: 'fail', expected, got, fix };
}

/** A line for work that says what it found, or throws. */
export function attempt(area: string, check: string, work: () => string): Check {
  try {
    return ok(area, check, work());
  } catch (error) {
    return failed(area, check, error);
  }
}
