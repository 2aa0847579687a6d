// SPDX-License-Identifier: AGPL-3.0-or-later
import { isTime } from '../search/local-time.ts';

/** `2026-11-19T21:00:04.000Z`: with milliseconds, whatever the zone. */
export function isoOf(timeMs: number): string {
  return isTime(timeMs) ? new Date(timeMs).toISOString() : '1970-01-01T00:00:00.000Z';
}
