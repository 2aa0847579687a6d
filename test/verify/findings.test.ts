// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { CATALOGUE, Findings, type FindingCode } from '../../src/verify/findings.ts';
import { describeStore, judge } from '../../src/verify/report.ts';

const SOURCES = new URL('../../src/verify/', import.meta.url);

describe('findings', () => {
  test('are counted in full and kept in bounded number, in the order of leaves', () => {
    const findings = new Findings();
    for (let leaf = 5000; leaf > 0; leaf -= 1) findings.add('verify/stream-chain', { leaf }, 'a', 'b');
    const [found] = findings.list();
    expect(found?.count).toBe(5000);
    expect(found?.first.length).toBeLessThanOrEqual(100);
    expect(found?.first[0]?.where.leaf).toBeLessThan(found?.first.at(-1)?.where.leaf ?? 0);
    expect(findings.count('finding')).toBe(5000);
  });

  test('of several collectors add up', () => {
    const [one, other] = [new Findings(), new Findings()];
    for (let leaf = 0; leaf < 80; leaf += 1) one.add('verify/pack-hash', { leaf }, 'a', 'b');
    for (let leaf = 0; leaf < 80; leaf += 1) other.add('verify/pack-hash', { leaf }, 'a', 'b');
    one.addAll(other.list());
    expect(one.list('finding')[0]).toMatchObject({ count: 160, first: { length: 100 } });
  });

  test('have one code per cause: every code of the catalogue is used, and no other', async () => {
    const names = (await readdir(SOURCES)).filter((name) => name.endsWith('.ts') && name !== 'findings.ts');
    const texts = await Promise.all(names.map((name) => readFile(new URL(name, SOURCES), 'utf8')));
    const used = new Set(texts.flatMap((text) => text.match(/verify\/[a-z]+(?:-[a-z]+)*/g) ?? []));
    const codes = Object.keys(CATALOGUE);
    expect([...used].filter((code) => !codes.includes(code) && !code.endsWith('README'))).toEqual([]);
    expect(codes.filter((code) => !used.has(code))).toEqual([]);
  });
});

describe('the verdict', () => {
  const unchecked = (...codes: FindingCode[]): Findings => {
    const findings = new Findings();
    for (const code of codes) findings.add(code, {}, 'a', 'b');
    return findings;
  };
  const of = (findings: number, codes: FindingCode[], integrityOnly = false): [string, number] => {
    const { headline, exitCode } = judge({ findings, unchecked: unchecked(...codes).list('unchecked'), integrityOnly });
    return [headline, exitCode];
  };

  test('is never "verified" where something could not be checked', () => {
    expect(of(0, [])).toEqual(['verified', 0]);
    expect(of(1, [])).toEqual(['1 finding', 1]);
    expect(of(3, ['verify/reader-failed'])).toEqual(['3 findings; parts could not be checked', 1]);
    expect(of(0, ['verify/reader-failed'], true)).toEqual(['could not check', 2]);
    expect(of(0, ['verify/locks-unseen'])).toEqual(['integrity verified; locks and versions not checked', 2]);
    expect(of(0, ['verify/locks-unseen'], true)).toEqual(['integrity verified; locks and versions not checked', 0]);
    expect(of(0, ['verify/locks-unseen', 'verify/too-large'], true)).toEqual(['could not check', 2]);
  });

  test('says WORM only where locks and versions were seen', () => {
    expect(describeStore('s3', true, true).words).toMatch(/^WORM/);
    for (const [locks, versions] of [
      [true, false],
      [false, true],
      [false, false],
    ] as const) {
      expect(describeStore('s3', locks, versions).words).toContain('cannot be seen');
    }
    expect(describeStore('directory', false, false).words).toContain('not WORM');
  });
});
