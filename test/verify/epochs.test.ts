// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EpochBook, insertRange } from '../../src/verify/epochs.ts';
import { EpochUses } from '../../src/verify/epoch-uses.ts';
import { Findings } from '../../src/verify/findings.ts';
import { KeyBook } from '../../src/verify/keys.ts';
import { TRUST } from '../support/archive-fixture.ts';

const DAY_MS = 86_400_000;
const day = (n: number): string =>
  `${new Date(Date.parse('2026-11-22T00:00:00Z') + n * DAY_MS).toISOString().slice(0, 19)}Z`;
const codes = (findings: Findings): string[] => findings.list().map(({ code }) => code);

describe('indices of an epoch', () => {
  test('are held as ranges, and a number that comes again is told', () => {
    const inserts = fc.array(fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 8 })), { maxLength: 40 });
    fc.assert(
      fc.property(inserts, (list) => {
        const ranges: [number, number][] = [];
        const all = new Set<number>();
        for (const [first, count] of list) {
          const numbers = Array.from({ length: count }, (_, index) => first + index);
          const isAgain = numbers.some((number) => all.has(number));
          expect(insertRange(ranges, first, first + count) !== null).toBe(isAgain);
          for (const number of numbers) all.add(number);
        }
        expect(
          ranges.flatMap(([begin, end]) => Array.from({ length: end - begin }, (_, index) => begin + index)),
        ).toEqual([...all].toSorted((a, b) => a - b));
      }),
    );
  });

  test('may come in any order from several streams, each once', () => {
    const findings = new Findings();
    const uses = new EpochUses();
    for (const i of [5, 6, 0, 2, 1, 9]) uses.add('e', i, 100 + i, day(0));
    const [use] = uses.finish(() => null, findings);
    expect(use?.ranges).toEqual([0, 3, 100, 5, 2, 105, 9, 1, 109]);
    expect(codes(findings)).toEqual(['verify/epoch-document-missing']);
  });

  test('are forgotten long after; an epoch that comes back then is a note unless it goes on', () => {
    const findings = new Findings();
    const book = new EpochBook(findings, new KeyBook(TRUST, findings, () => undefined));
    const use = (first: number, at: string): void =>
      book.apply([{ id: 'e', leaf: first, recipients: null, ranges: [first, 10, first], newestAt: at }], at);
    use(0, day(0));
    for (let segment = 0; segment < 300; segment += 1) book.apply([], day(20));
    use(20, day(20));
    expect(codes(findings)).toEqual([]);
    for (let segment = 0; segment < 300; segment += 1) book.apply([], day(40));
    use(5, day(40));
    expect(codes(findings)).toEqual(['verify/epoch-late']);
    use(5, day(40));
    expect(codes(findings)).toEqual(['verify/epoch-index-reused', 'verify/epoch-late']);
  });
});
