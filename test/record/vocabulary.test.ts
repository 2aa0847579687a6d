// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import * as vocabulary from '../../src/record/vocabulary.ts';

describe('the closed vocabularies', () => {
  it.each(Object.entries(vocabulary))('%s holds each word once, and only letters, digits and dashes', (_, words) => {
    expect(new Set<string>(words).size).toBe(words.length);
    // They are spliced into regular expressions and into JSON as they are.
    for (const word of words) expect(word).toMatch(/^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$/);
  });
});
