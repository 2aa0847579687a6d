// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalTime, UTC } from '../../src/search/local-time.ts';
import { parseSpan } from '../../src/search/query-time.ts';
import { parseQuery } from '../../src/search/query-parse.ts';

const NEW_YORK = new LocalTime('America/New_York');
const iso = (span: { fromMs: number; beforeMs: number } | null): (string | undefined)[] =>
  [span?.fromMs, span?.beforeMs].map((ms) => (ms === undefined ? undefined : new Date(ms).toISOString()));
const spanOf = (text: string, zone: LocalTime): (string | undefined)[] => iso(parseSpan(text, zone));

describe('a day, as clocks in a zone count it', () => {
  it.each([
    ['2026-11-22', 'UTC', '2026-11-22T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    ['2026-11-22', 'America/New_York', '2026-11-22T05:00:00.000Z', '2026-11-23T05:00:00.000Z'],
    ['2026-07', 'America/New_York', '2026-07-01T04:00:00.000Z', '2026-08-01T04:00:00.000Z'],
    ['2026', 'Asia/Kathmandu', '2025-12-31T18:15:00.000Z', '2026-12-31T18:15:00.000Z'],
    // 23 and 25 hours long.
    ['2026-03-08', 'America/New_York', '2026-03-08T05:00:00.000Z', '2026-03-09T04:00:00.000Z'],
    ['2026-11-01', 'America/New_York', '2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z'],
    // Its first hour was skipped, and a whole day was.
    ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00.000Z', '2018-11-05T02:00:00.000Z'],
    ['2011-12-31', 'Pacific/Apia', '2011-12-30T10:00:00.000Z', '2011-12-31T10:00:00.000Z'],
    // The half past one that came first.
    ['2026-11-01T01:30', 'America/New_York', '2026-11-01T05:30:00.000Z', '2026-11-01T05:31:00.000Z'],
    ['2026-03-08T02:30', 'America/New_York', '2026-03-08T07:00:00.000Z', '2026-03-08T07:01:00.000Z'],
    // Who writes Z means UTC.
    ['2026-11-22T15:02Z', 'America/New_York', '2026-11-22T15:02:00.000Z', '2026-11-22T15:03:00.000Z'],
    ['2026-11-22..2026-11-23', 'Europe/Berlin', '2026-11-21T23:00:00.000Z', '2026-11-23T23:00:00.000Z'],
  ])('%s in %s', (text, zone, from, before) => {
    expect(spanOf(text, new LocalTime(zone))).toEqual([from, before]);
  });

  it('follows on the day before without a gap, in every zone', () => {
    const zone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
    const dayMs = fc.integer({ min: 1, max: 24_000 }).map((day) => day * 86_400_000);
    const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
    fc.assert(
      fc.property(zone, dayMs, (name, ms) => {
        const local = new LocalTime(name);
        expect(spanOf(day(ms), local)[0]).toBe(spanOf(day(ms - 86_400_000), local)[1]);
      }),
      { numRuns: 200 },
    );
  });

  it('is the day that its moments are shown under', () => {
    const zone = fc.constantFrom('UTC', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Chatham');
    fc.assert(
      fc.property(zone, fc.integer({ min: 200_000, max: 2_000_000_000 }), (name, seconds) => {
        const local = new LocalTime(name);
        const shown = local.text(seconds * 1000).slice(0, 10);
        const span = parseSpan(shown, local);
        expect(span !== null && span.fromMs <= seconds * 1000 && seconds * 1000 < span.beforeMs).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a time that is shown', () => {
  it('says how far from UTC it is', () => {
    const at = Date.UTC(2026, 10, 19, 21, 0, 4);
    expect(UTC.text(at)).toBe('2026-11-19 21:00:04Z');
    expect(NEW_YORK.text(at)).toBe('2026-11-19 16:00:04 -05:00');
    expect(new LocalTime('Asia/Kolkata').text(at)).toBe('2026-11-20 02:30:04 +05:30');
    expect(UTC.text(Number.NaN)).toBe('an unknown time');
    expect(NEW_YORK.text(9e15)).toBe('an unknown time');
  });

  it('is of a zone that there is', () => {
    expect(() => new LocalTime('Mars/Olympus')).toThrow(/search\/query/);
  });
});

it('a query is asked in the zone of whoever asks', () => {
  expect(parseQuery('on:2026-11-22', NEW_YORK).root).toEqual({
    op: 'time',
    fromMs: Date.UTC(2026, 10, 22, 5),
    beforeMs: Date.UTC(2026, 10, 23, 5),
  });
});
