// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure, type FailureCode } from '../base/failure.ts';
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

/** Failures of which it must be said which of the config's files is meant. */
const OF_A_FILE: ReadonlySet<string> = new Set([
  'config/secret-missing',
  'config/secret-readable',
  'config/key-unusable',
] satisfies FailureCode[]);

/** A failure as a line of the table: the same words the command itself would fail with. */
export function failed(area: string, check: string, error: unknown): Check {
  if (error instanceof Failure) {
    const { expected, got, where, fix = '' } = error.detail;
    const file = OF_A_FILE.has(error.code) && where !== undefined ? `, at ${where}` : '';
    return { area, check, level: 'fail', expected, got: `${got}${file}`, fix };
  }
  if (error instanceof FormatError)
    return { area, check, level: 'fail', expected: error.expected, got: error.got, fix: '' };
  const fix = 'look whether what the config names here is there, answers, and may be used by this user';
  return { area, check, level: 'fail', expected: 'that it can be looked at', got: codeOf(error), fix };
}

/** A line for work that says what it found, or throws. */
export function attempt(area: string, check: string, work: () => string): Check {
  try {
    return ok(area, check, work());
  } catch (error) {
    return failed(area, check, error);
  }
}
