// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { isOrigin } from '../../src/record/origin.ts';

describe('an origin', () => {
  it('is one to eight lower-case parts', () => {
    for (const good of ['a', 'records.agency.example/holdfast/2026', '0-9.x', 'a/b/c/d/e/f/g/h'])
      expect(isOrigin(good)).toBe(true);
    for (const bad of [
      '',
      '/',
      'a/',
      '/a',
      'A',
      'a b',
      '../x',
      'a//b',
      'a/./b',
      'a/b/c/d/e/f/g/h/i',
      `a${'b'.repeat(64)}`,
      null,
      7,
    ]) {
      expect(isOrigin(bad)).toBe(false);
    }
  });

  it('has no part that is a folder of the archive', () => {
    for (const folder of ['heads', 'media', 'pack', 'segment', 'tile', 'tsa', 'witness']) {
      expect(isOrigin(`agency.example/${folder}`)).toBe(false);
      expect(isOrigin(`agency.example/${folder}-2026`)).toBe(true);
    }
  });
});
