// SPDX-License-Identifier: AGPL-3.0-or-later

/**
 * Calls into `node:crypto` with a key that is bytes. Node tells bytes from a `KeyObject` by catching an error, twice a call, and
 * collecting the stacks of those takes two thirds of an HMAC's time: here they have none. Errors that reach the caller have none either.
 */
export function withRawKey<T>(call: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return call();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
