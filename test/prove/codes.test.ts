// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BUNDLE_CATALOGUE } from '../../src/prove/findings.ts';

test('the README explains every code of a bundle, in the words of the code', () => {
  const readme = readFileSync(new URL('../../src/prove/README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\| `(proof\/[a-z-]+)` \| (.+) \|$/gm)].map(([, code, meaning]) => [code, meaning]);
  expect(rows).toEqual(Object.entries(BUNDLE_CATALOGUE));
});
