// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEntry } from '../../src/record/entry.ts';
import { entryPattern, GRAMMAR, MOST_BEAT_HEADS, MOST_LEAF_RANGES } from '../../src/record/entry-grammar.ts';
import type { Entry, EntryType } from '../../src/record/entry-types.ts';
import { ENTRIES, ENTRY_TYPES } from './arbitraries.ts';
import { ENTRIES as EXAMPLES } from '../vectors/record-vectors.ts';
import { respell } from '../vectors/record-vectors.ts';

const TYPES = Object.keys(GRAMMAR) as EntryType[];
const matches = (type: EntryType, text: string): boolean => new RegExp(entryPattern(type)).test(text);
const of = (name: string): string => encodeEntry(EXAMPLES[name] as Entry);
/** An entry's text with one piece replaced by hand, past all checks of the writer. */
const altered = (name: string, from: string | RegExp, to: string): string => of(name).replace(from, () => to);

describe('the grammar', () => {
  it('has every type that the tests generate, and no other', () => {
    expect(TYPES.toSorted()).toEqual(ENTRY_TYPES.toSorted());
  });

  it.each(TYPES)('of %s matches no entry of another type', (type) => {
    fc.assert(
      fc.property(ENTRIES[type] as fc.Arbitrary<Entry>, (value) => {
        const text = encodeEntry(value);
        expect(TYPES.filter((other) => matches(other, text))).toEqual([type]);
      }),
      { numRuns: 20 },
    );
  });

  it.each(TYPES)('of %s matches whole texts on one line only', (type) => {
    const text = encodeEntry(fc.sample(ENTRIES[type] as fc.Arbitrary<Entry>, { numRuns: 1, seed: 3 })[0] as Entry);
    expect(matches(type, text)).toBe(true);
    for (const other of [`${text}\n`, `\n${text}`, `${text}\u2028`, `x${text}`, `${text}x`, `${text}\n${text}`]) {
      expect(matches(type, other)).toBe(false);
    }
  });

  it('starts no object with an optional member, or a comma would be missing', () => {
    for (const type of TYPES) {
      const [first] = [...Object.keys(GRAMMAR[type]), 't', 'v'].toSorted();
      expect(first?.endsWith('?')).toBe(false);
    }
  });

  it('bounds its lists', () => {
    const heads = (count: number): string =>
      Array.from({ length: count }, () => `["${'0'.repeat(32)}",1,"${'0'.repeat(64)}"]`).join(',');
    for (const [count, fits] of [
      [0, true],
      [1, true],
      [MOST_BEAT_HEADS, true],
      [MOST_BEAT_HEADS + 1, false],
    ] as const) {
      expect(matches('beat', altered('beat without streams', '"heads":[]', `"heads":[${heads(count)}]`))).toBe(fits);
    }
    const ranges = (count: number): string => Array.from({ length: count }, (_, at) => `[${at},1]`).join(',');
    for (const [count, fits] of [
      [0, false],
      [1, true],
      [MOST_LEAF_RANGES, true],
      [MOST_LEAF_RANGES + 1, false],
    ] as const) {
      expect(matches('pack', altered('pack', '[0,3],[5,1]', ranges(count)))).toBe(fits);
    }
    const object = `{"h":"${'0'.repeat(64)}","n":1}`;
    for (const [count, fits] of [
      [0, false],
      [1, true],
      [16, true],
      [17, false],
    ] as const) {
      const objects = Array.from({ length: count }, () => object).join(',');
      expect(matches('media', altered('media', /"obj":\[[^\]]*\]/, `"obj":[${objects}]`))).toBe(fits);
    }
    const approval = /\{"key":[^}]*\}/.exec(of('hold'))?.[0] as string;
    for (const [count, fits] of [
      [0, false],
      [1, true],
      [8, true],
      [9, false],
    ] as const) {
      const approvals = Array.from({ length: count }, () => approval).join(',');
      expect(matches('hold', altered('hold', /"by":\[[^\]]*\]/, `"by":[${approvals}]`))).toBe(fits);
    }
  });

  it('has one spelling of a signature', () => {
    const text = of('disposition');
    expect(respell(text)).not.toBe(text);
    expect(matches('disposition', respell(text))).toBe(false);
  });

  it.each([
    ['2026-02-30T00:00:00Z', true],
    ['2026-13-01T00:00:00Z', false],
    ['2026-00-01T00:00:00Z', false],
    ['2026-01-00T00:00:00Z', false],
    ['2026-01-32T00:00:00Z', false],
    ['2026-01-01T24:00:00Z', false],
    ['2026-01-01T00:60:00Z', false],
    ['2026-01-01T00:00:60Z', false],
    ['2026-01-01t00:00:00Z', false],
    ['2026-01-01T00:00:00', false],
    ['12026-01-01T00:00:00Z', false],
  ])('takes the form of time %s as %s (a month has 31 days here)', (time, fits) => {
    expect(matches('close', of('close').replace(/"at":"[^"]*"/, `"at":"${time}"`))).toBe(fits);
  });

  it.each([
    ['a', true],
    ['a/b', true],
    ['a.b-c/d', true],
    [`${'a'.repeat(64)}/b`, true],
    ['a'.repeat(65), false],
    ['a/b/c/d/e/f/g/h', true],
    ['a/b/c/d/e/f/g/h/i', false],
    ['', false],
    ['/a', false],
    ['a/', false],
    ['a//b', false],
    ['..', false],
    ['a/../b', false],
    ['a/.b', false],
    ['A', false],
    ['a b', false],
    ['a+b', false],
    ['a_b', false],
  ])('takes the origin %j as %s', (origin, fits) => {
    expect(matches('key', altered('key', /"log":"[^"]*"/, `"log":"${origin}"`))).toBe(fits);
  });

  it.each([
    ['P7Y', true],
    ['P1Y2M3D', true],
    ['P18M', true],
    ['P99999D', true],
    ['P100000D', false],
    ['P0Y', false],
    ['P07Y', false],
    ['P1D1Y', false],
    ['P1W', false],
    ['PT1H', false],
    ['p1y', false],
    ['P-1Y', false],
  ])('takes the period %s as %s', (period, fits) => {
    expect(matches('retention', altered('retention', '"P7Y"', `"${period}"`))).toBe(fits);
  });

  it.each(Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)))(
    'holds text free of escapes: %j',
    (character) => {
      const printable = character >= ' ' && character <= '~' && character !== '"' && character !== '\\';
      expect(matches('hold', altered('hold', 'No. 1', character))).toBe(printable);
    },
  );

  it('bounds text', () => {
    for (const [length, fits] of [
      [0, false],
      [1, true],
      [200, true],
      [201, false],
    ] as const) {
      expect(matches('hold', altered('hold', 'No. 1', 'x'.repeat(length)))).toBe(fits);
    }
  });
});
