// SPDX-License-Identifier: AGPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const readme = read('../../../src/connectors/whatsapp/README.md');
const reasons = read('../../../src/connectors/whatsapp/reasons.ts');

/** The words of one union type in `reasons.ts`. */
function wordsOf(type: string): string[] {
  const [, body = ''] = new RegExp(`type ${type} =([^;]+);`).exec(reasons) ?? [];
  return [...body.matchAll(/'([^']+)'/g)].map(([, word]) => word ?? '').toSorted();
}

test('explains every alarm and every reason for not being green', () => {
  const table = readme.slice(readme.indexOf('| alarm | do |'));
  const alarms = table
    .split('\n')
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([\w-]+)`/g)].map(([, word]) => word ?? ''));
  expect([...new Set(alarms)].toSorted()).toEqual(wordsOf('Alarm'));
  const [, listed = ''] = /`degraded` reasons: ([^]+?)`connected`/.exec(readme) ?? [];
  expect([...listed.matchAll(/`([\w-]+)`/g)].map(([, word]) => word ?? '').toSorted()).toEqual(wordsOf('HealthReason'));
});

test('names only test files that are there', () => {
  const rows = readme.split('\n').filter((line) => /^\| \w+ \|/.test(line) && line.split('|').length === 6);
  const files = new Set(rows.flatMap((row) => /`(\w+)`/.exec(row.split('|')[4] ?? '')?.[1] ?? []));
  expect(files.size).toBeGreaterThan(2);
  for (const file of files) expect(read(`${file}.test.ts`).length, file).toBeGreaterThan(0);
});
