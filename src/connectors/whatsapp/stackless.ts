// SPDX-License-Identifier: AGPL-3.0-or-later

let running = 0;
let limit = Error.stackTraceLimit;

/**
 * Runs work of the client's Signal library, whose keys are bytes. Node tells bytes from a `KeyObject` by catching an error, twice a call,
 * and collecting the stacks of those takes most of the time of an HMAC, of which each message has seven. Errors that arise meanwhile,
 * here or elsewhere, have no stack; no log would show it.
 */
export async function withoutStacks<T>(work: () => Promise<T>): Promise<T> {
  if (running === 0) {
    limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
  }
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    if (running === 0) Error.stackTraceLimit = limit;
  }
}
