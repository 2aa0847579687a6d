// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { read, treeFiles } from './files.ts';

/** What must not lie in a tree. Vectors hold test keys on purpose; they say so and are kept apart. */
const SECRETS: readonly (readonly [string, RegExp])[] = [
  ['a private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}/],
  ['an AWS access key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['a token', /\b(?:gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{20,}|npm_[A-Za-z0-9]{36})\b/],
  ['credentials in an address', /\b[a-z]+:\/\/[^\s/:@'"`$<]+:[^\s/:@'"`$<]{6,}@(?!127\.0\.0\.1)/],
];

const find = (text: string): string[] => SECRETS.filter(([, pattern]) => pattern.test(text)).map(([name]) => name);

describe('the tree', () => {
  it('holds no secret', () => {
    const texts = treeFiles().filter((file) => !file.startsWith('test/vectors/') && !/\.(?:png|pdf|gz)$/.test(file));
    expect(texts.length).toBeGreaterThan(200);
    expect(texts.map((file) => ({ file, found: find(read(file)) })).filter(({ found }) => found.length > 0)).toEqual(
      [],
    );
  });

  it('would be caught with one', () => {
    expect(find(`-----BEGIN PRIVATE ${'KEY'}-----\n${'A'.repeat(64)}`)).toEqual(['a private key']);
    expect(find(`AKIA${'IOSFODNN7EXAMPLE'}`)).toEqual(['an AWS access key']);
    expect(find(`redis://user:${'hunter22'}@host`)).toEqual(['credentials in an address']);
  });
});
