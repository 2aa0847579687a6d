// SPDX-License-Identifier: AGPL-3.0-or-later

import { describe, expect, it } from 'vitest';
import { type Report, Tally } from './tally.ts';

function tallyOf(...reports: readonly Report[]): Tally {
  const tally = new Tally();
  for (const report of reports) tally.add(report);
  return tally;
}

const begin: readonly Report[] = [
  { type: 'files', files: ['a', 'b'] },
  { type: 'started', test: 'a > 1' },
  { type: 'settled', test: 'a > 1' },
  { type: 'started', test: 'a > 2' },
];

describe('the tally of a test run', () => {
  it('counts what is under way when the run is cut short as failed', () => {
    const tally = tallyOf(...begin);
    expect(tally.passed).toBe(1);
    expect(tally.failures).toEqual([
      { what: 'a > 2', why: 'hung' },
      { what: 'a', why: 'not finished' },
      { what: 'b', why: 'not finished' },
    ]);
  });

  it('keeps failures outside of tests when the run is cut short', () => {
    const failure = { what: 'a', why: 'failed' } as const;
    const tally = tallyOf(
      ...begin,
      { type: 'settled', test: 'a > 2', failure: { what: 'a > 2', why: 'skipped' } },
      { type: 'file-done', file: 'a', failures: [failure] },
    );
    expect(tally.failures).toEqual([{ what: 'a > 2', why: 'skipped' }, failure, { what: 'b', why: 'not finished' }]);
  });

  it('takes the word of a complete report', () => {
    const failures = [{ what: 'b', why: 'failed' }] as const;
    const tally = tallyOf(...begin, { type: 'end', passed: 7, failures });
    expect(tally.isComplete).toBe(true);
    expect(tally.passed).toBe(7);
    expect(tally.failures).toEqual(failures);
  });

  it('is not complete before anything is reported', () => {
    expect(tallyOf().isComplete).toBe(false);
  });
});
