// SPDX-License-Identifier: Apache-2.0
import type { Seconds } from './entry-types.ts';
import { FormatError } from './format-error.ts';

const PERIOD = /^P(?:([1-9]\d{0,3})Y)?(?:([1-9]\d{0,3})M)?(?:([1-9]\d{0,4})D)?$/;

/** First moment that four digits of year cannot name. */
const YEAR_10000_MS = 253_402_300_800_000;
const YEAR_0_MS = -62_167_219_200_000;

/** `2026-11-22T15:02:03Z`: whole seconds, rounded down. Throws `format/period` for times outside of the years 0 to 9999. */
export function toSeconds(timeMs: number): Seconds {
  if (!(timeMs >= YEAR_0_MS && timeMs < YEAR_10000_MS)) {
    throw new FormatError('format/period', 'a time in the years 0 to 9999', 'another time');
  }
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

export function fromSeconds(seconds: Seconds): number {
  return Date.parse(seconds);
}

/** Adds a period of years, months and days, in UTC. A day that the target month lacks moves to its end, never beyond. */
export function addPeriod(timeMs: number, period: string): number {
  const match = PERIOD.exec(period);
  if (match === null || period === 'P') {
    throw new FormatError('format/period', 'a period such as P7Y, P18M or P90D', `${period.length} other characters`);
  }
  const [years, months, days] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number];
  const from = new Date(timeMs);
  const to = new Date(timeMs);
  to.setUTCMonth(from.getUTCMonth() + years * 12 + months);
  if (to.getUTCDate() !== from.getUTCDate()) to.setUTCDate(0);
  to.setUTCDate(to.getUTCDate() + days);
  return to.getTime();
}
