// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addPeriod, fromSeconds, toSeconds } from '../../src/record/period.ts';
import { period } from './arbitraries.ts';
import { HOSTILE_TEXTS } from './hostile.ts';
import { refusal } from './refusal.ts';

const after = (from: string, length: string): string => toSeconds(addPeriod(fromSeconds(from), length));
const time = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2100, 0, 1) });

describe('a time in seconds', () => {
  it('is the time, rounded down', () => {
    expect(toSeconds(Date.UTC(2026, 10, 22, 15, 2, 3, 999))).toBe('2026-11-22T15:02:03Z');
    fc.assert(
      fc.property(time, (ms) => {
        expect(fromSeconds(toSeconds(ms))).toBe(Math.floor(ms / 1000) * 1000);
      }),
    );
  });

  it('is refused where four digits of year do not hold it', () => {
    expect(toSeconds(Date.UTC(9999, 11, 31, 23, 59, 59, 999))).toBe('9999-12-31T23:59:59Z');
    expect(toSeconds(Date.parse('0000-01-01T00:00:00Z'))).toBe('0000-01-01T00:00:00Z');
    for (const ms of [
      Date.UTC(10_000, 0, 1),
      Date.parse('0000-01-01T00:00:00Z') - 1,
      NaN,
      Infinity,
      -Infinity,
      8.7e15,
    ]) {
      expect(refusal(() => toSeconds(ms))).toBe('format/period');
    }
  });
});

describe('a time and a period', () => {
  it.each([
    ['2026-11-22T15:02:03Z', 'P7Y', '2033-11-22T15:02:03Z'],
    ['2026-11-22T15:02:03Z', 'P18M', '2028-05-22T15:02:03Z'],
    ['2026-11-22T15:02:03Z', 'P90D', '2027-02-20T15:02:03Z'],
    ['2026-11-22T15:02:03Z', 'P1Y2M3D', '2028-01-25T15:02:03Z'],
    ['2024-02-29T00:00:00Z', 'P1Y', '2025-02-28T00:00:00Z'],
    ['2024-02-29T00:00:00Z', 'P4Y', '2028-02-29T00:00:00Z'],
    ['2024-02-29T00:00:00Z', 'P1Y1D', '2025-03-01T00:00:00Z'],
    ['2024-02-29T00:00:00Z', 'P1Y1M', '2025-03-29T00:00:00Z'],
    ['2096-02-29T12:00:00Z', 'P4Y', '2100-02-28T12:00:00Z'],
    ['1996-02-29T12:00:00Z', 'P4Y', '2000-02-29T12:00:00Z'],
    ['2026-01-31T23:59:59Z', 'P1M', '2026-02-28T23:59:59Z'],
    ['2028-01-31T23:59:59Z', 'P1M', '2028-02-29T23:59:59Z'],
    ['2026-08-31T00:00:00Z', 'P1M', '2026-09-30T00:00:00Z'],
    ['2026-12-31T00:00:00Z', 'P2M', '2027-02-28T00:00:00Z'],
    ['2026-12-31T00:00:00Z', 'P12M', '2027-12-31T00:00:00Z'],
    ['2026-05-31T00:00:00Z', 'P1M1D', '2026-07-01T00:00:00Z'],
    ['2026-12-31T23:59:59Z', 'P1D', '2027-01-01T23:59:59Z'],
    ['2026-03-29T01:30:00Z', 'P1D', '2026-03-30T01:30:00Z'],
  ])('%s and %s make %s', (from, length, until) => {
    expect(after(from, length)).toBe(until);
  });

  it('keep time of day and milliseconds, and move forward', () => {
    fc.assert(
      fc.property(time, period, (from, length) => {
        const until = addPeriod(from, length);
        expect(until > from).toBe(true);
        expect((until - from) % 86_400_000).toBe(0);
      }),
    );
  });

  it('never fall into a month later than the one meant', () => {
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: 9999 }), (from, months) => {
        const [start, end] = [new Date(from), new Date(addPeriod(from, `P${months}M`))];
        const passed = (end.getUTCFullYear() - start.getUTCFullYear()) * 12 + end.getUTCMonth() - start.getUTCMonth();
        expect(passed).toBe(months);
        expect(end.getUTCDate()).toBeLessThanOrEqual(start.getUTCDate());
      }),
    );
  });

  it('are refused where the period is none', () => {
    const bad = [
      'xP1Y',
      'P',
      'P0D',
      'P01D',
      '7Y',
      'P7',
      'P7y',
      'P1W',
      'PT1H',
      'P1D1M',
      'P1Y ',
      'P1Y\n',
      'P-1Y',
      'P10000Y',
      'P100000D',
    ];
    for (const text of [...bad, ...HOSTILE_TEXTS])
      expect(
        refusal(() => addPeriod(0, text)),
        text.slice(0, 20),
      ).toBe('format/period');
  });
});
