// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect } from 'vitest';

/** Far longer than anything takes: only what never happens fails by it, also on a machine that does much else. */
const TIMEOUT_MS = 30_000;

/** Waits until an assertion holds. */
export function eventually<T>(get: () => T, intervalMs = 20): ReturnType<typeof expect.poll<T>> {
  return expect.poll(get, { timeout: TIMEOUT_MS, interval: intervalMs });
}
