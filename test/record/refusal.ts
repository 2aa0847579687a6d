// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError, type FormatCode } from '../../src/record/format-error.ts';

/** The code of the `FormatError` that was thrown, or null if nothing was. An error of any other class is a bug and goes on. */
export function refusal(act: () => unknown): FormatCode | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
}

/** What `parse` gives, or undefined if it refused. An error of any other class goes on. */
export function accepted<T>(parse: () => T): T | undefined {
  let value: T | undefined;
  refusal(() => (value = parse()));
  return value;
}
