// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import {
  assertCapAllows,
  assertNotShortened,
  lockUnder,
  Schedules,
  type Schedule,
} from '../../src/archive/schedule.ts';
import { addPeriod } from '../../src/record/period.ts';

const NOW_MS = Date.parse('2026-11-22T15:02:03.250Z');

const schedule = (change: Partial<Schedule> = {}): Schedule => ({
  class: 'c',
  mode: 'COMPLIANCE',
  period: 'P7Y',
  max: 'P20Y',
  authority: 'GRS 6.1',
  ...change,
});

function refusal(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return codeOf(error);
  }
}

describe('a lock', () => {
  it('goes to the period’s end in whole seconds, never short of it', () => {
    expect(lockUnder(schedule(), NOW_MS)).toEqual({ mode: 'COMPLIANCE', until: '2033-11-22T15:02:04Z' });
  });

  it('is provisional for a class without a schedule', () => {
    const schedules = new Schedules([schedule()]);
    expect([schedules.has('c'), schedules.has('other')]).toEqual([true, false]);
    expect(schedules.lockFor('other', NOW_MS)).toEqual({ mode: 'COMPLIANCE', until: '2027-02-20T15:02:04Z' });
  });

  it('is that of the config where it and the log have a schedule, and the log’s where only that has one', () => {
    const logged = [schedule(), schedule({ class: 'dropped', period: 'P9Y' })];
    const schedules = new Schedules([...logged, schedule({ period: 'P8Y' })]);
    expect(schedules.lockFor('c', NOW_MS).until).toBe('2034-11-22T15:02:04Z');
    expect(schedules.lockFor('dropped', NOW_MS).until).toBe('2035-11-22T15:02:04Z');
  });
});

describe('the lock of an upload', () => {
  it('is longer by half a day, so that what arrives by then need not be lengthened, and never beyond the cap', () => {
    const schedules = new Schedules([schedule(), schedule({ class: 'full', max: 'P7Y' })]);
    const grant = schedules.lockForUpload('c', NOW_MS);
    expect(grant.until).toBe('2033-11-23T03:02:04Z');
    expect(Date.parse(grant.until)).toBeLessThan(Date.parse(schedules.lockForLog([], NOW_MS).until));
    expect(schedules.lockForUpload('full', NOW_MS)).toEqual(schedules.lockFor('full', NOW_MS));
    expect(schedules.lockForUpload('other', NOW_MS)).toEqual(schedules.lockFor('other', NOW_MS));
  });
});

describe('the lock of a part of the log', () => {
  const schedules = new Schedules([schedule(), schedule({ class: 'g', mode: 'GOVERNANCE', period: 'P1Y' })]);

  it('is longer than all it names', () => {
    const named = [schedules.lockFor('c', NOW_MS), schedules.lockFor('other', NOW_MS)];
    expect(schedules.lockForLog(named, NOW_MS)).toEqual({ mode: 'COMPLIANCE', until: '2033-11-23T15:02:04Z' });
  });

  it('is no stronger than it need be', () => {
    expect(schedules.lockForLog([schedules.lockFor('g', NOW_MS)], NOW_MS).mode).toBe('GOVERNANCE');
  });

  it('that names nothing is as long as the longest schedule', () => {
    expect(schedules.lockForLog([], NOW_MS)).toEqual({ mode: 'COMPLIANCE', until: '2033-11-23T15:02:04Z' });
  });

  it('holds for as many objects as there may be', () => {
    const named = Array.from({ length: 300_000 }, () => schedules.lockFor('c', NOW_MS));
    expect(schedules.lockForLog(named, NOW_MS).until).toBe('2033-11-23T15:02:04Z');
  });
});

describe('a schedule', () => {
  it.each([
    ['P7Y', 'P6Y', 'COMPLIANCE', 'COMPLIANCE', 'archive/retention-shortened'],
    ['P7Y', 'P83M', 'COMPLIANCE', 'COMPLIANCE', 'archive/retention-shortened'],
    ['P7Y', 'P7Y', 'COMPLIANCE', 'GOVERNANCE', 'archive/retention-shortened'],
    // February has 28 days, March has 31: for some records this is shorter.
    ['P1M', 'P30D', 'COMPLIANCE', 'COMPLIANCE', 'archive/retention-shortened'],
    ['P1Y', 'P365D', 'COMPLIANCE', 'COMPLIANCE', 'archive/retention-shortened'],
    ['P1M', 'P31D', 'COMPLIANCE', 'COMPLIANCE', null],
    ['P1Y', 'P366D', 'COMPLIANCE', 'COMPLIANCE', null],
    ['P30D', 'P2M', 'COMPLIANCE', 'COMPLIANCE', null],
    ['P7Y', 'P7Y', 'COMPLIANCE', 'COMPLIANCE', null],
    ['P7Y', 'P84M', 'GOVERNANCE', 'COMPLIANCE', null],
  ] as const)('of %s may become %s, %s %s: %s', (before, after, modeBefore, modeAfter, code) => {
    const [logged, configured] = [
      schedule({ period: before, mode: modeBefore }),
      schedule({ period: after, mode: modeAfter }),
    ];
    expect(refusal(() => assertNotShortened(logged, configured))).toBe(code);
  });

  it('is never shorter than its cap', () => {
    expect(refusal(() => assertCapAllows(schedule({ period: 'P7Y', max: 'P6Y' })))).toBe('archive/retention-cap');
    expect(refusal(() => assertCapAllows(schedule({ period: 'P7Y', max: 'P7Y' })))).toBe(null);
  });

  it('that is let through shortens no record’s lock, whenever it was captured', () => {
    const part = (unit: string, max: number) => fc.nat({ max }).map((n) => (n === 0 ? '' : `${n}${unit}`));
    const period = fc
      .tuple(part('Y', 3), part('M', 14), part('D', 70))
      .map((parts) => `P${parts.join('')}`)
      .filter((one) => one !== 'P');
    fc.assert(
      fc.property(
        period,
        period,
        fc.date({ min: new Date('2024-01-01'), max: new Date('2060-01-01'), noInvalidDate: true }),
        (before, after, from) => {
          if (refusal(() => assertNotShortened(schedule({ period: before }), schedule({ period: after }))) !== null)
            return;
          expect(addPeriod(from.getTime(), after)).toBeGreaterThanOrEqual(addPeriod(from.getTime(), before));
        },
      ),
      { numRuns: 300 },
    );
  });
});
