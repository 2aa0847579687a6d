// SPDX-License-Identifier: AGPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const readme = read('../../../src/connectors/signal/README.md');
const reasons = read('../../../src/connectors/signal/reasons.ts');

/** The words of one union type in `reasons.ts`. */
function wordsOf(type: string): string[] {
  const [, body = ''] = new RegExp(`type ${type} =([^;]+);`).exec(reasons) ?? [];
  return [...body.matchAll(/'([^']+)'/g)].map(([, word]) => word ?? '').toSorted();
}

test('names tests in the loss table that are there', () => {
  const rows = readme.split('\n').filter((line) => /^\| L\d+ \|/.test(line));
  expect(rows).toHaveLength(12);
  const missing = rows.flatMap((row) => {
    const shown = row.split('|')[4] ?? '';
    const named = [...shown.matchAll(/`([\w-]+)`((?: "[^"]+",?| L\d+,?)*)/g)];
    expect(named.length, row.slice(0, 8)).toBeGreaterThan(0);
    return named.flatMap(([, file = '', names = '']) => missingTests(file, names));
  });
  expect(missing).toEqual([]);
});

/** Parts of titles, and labels, that no test of the file bears. */
function missingTests(file: string, names: string): string[] {
  const titles = [...read(`${file}.test.ts`).matchAll(/^test\(\s*'([^\n]*)',/gm)].map(([, title]) => title ?? '');
  const wanted = [...names.matchAll(/"([^"]+)"|(L\d+)/g)].map(([, title, label]) => title ?? label ?? '');
  return wanted.filter((name) => !titles.some((title) => title.includes(name))).map((name) => `${file}: ${name}`);
}

test('explains every alarm and every reason for not being green', () => {
  const table = readme.slice(readme.indexOf('| alarm | do |'));
  const alarms = table
    .split('\n')
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([\w-]+)`/g)].map(([, word]) => word ?? ''));
  expect([...new Set(alarms)].toSorted()).toEqual(wordsOf('Alarm'));
  const [, listed = ''] = /`degraded` reasons: ([^]+?)`\/v1\/health`/.exec(readme) ?? [];
  expect([...listed.matchAll(/`([\w-]+)`/g)].map(([, word]) => word ?? '').toSorted()).toEqual(wordsOf('HealthReason'));
});
