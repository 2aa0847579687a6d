// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recipientsOf } from '../../src/record/epoch-document.ts';
import { ESCROW, READER } from '../vectors/keys.ts';
import { EPOCH_TEXT } from '../vectors/seal-vectors.ts';
import { HOSTILE_TEXTS, hostileText, mutants } from './hostile.ts';
import type { Json } from '../../src/record/canonical.ts';

const [reader, escrow] = [READER, ESCROW].map(({ recipient }) => recipient.kid);
const named = (...kids: (string | undefined)[]): string =>
  JSON.stringify({ recipients: kids.map((kid) => ({ header: { kid } })) });

describe('an epoch document', () => {
  it('names its recipients', () => {
    expect(recipientsOf(EPOCH_TEXT)).toEqual([reader, escrow]);
    expect(recipientsOf(named(undefined, undefined))).toBeNull();
  });

  it('is one line of bounded length', () => {
    expect(recipientsOf(`${EPOCH_TEXT}\n`)).toBeNull();
    expect(recipientsOf(JSON.stringify(JSON.parse(EPOCH_TEXT), null, 1))).toBeNull();
    expect(recipientsOf(EPOCH_TEXT.padEnd(16_385))).toBeNull();
    expect(recipientsOf(EPOCH_TEXT.padEnd(16_384))).not.toBeNull();
    expect(recipientsOf(named())).toBeNull();
  });

  it('is refused without throwing, whatever the text', () => {
    for (const text of HOSTILE_TEXTS) expect(recipientsOf(text)).toBeNull();
    for (const value of mutants(JSON.parse(EPOCH_TEXT) as Json)) {
      const ids = recipientsOf(JSON.stringify(value));
      expect(ids === null || ids.every((id) => typeof id === 'string')).toBe(true);
    }
    fc.assert(
      fc.property(hostileText(EPOCH_TEXT), (text) => {
        recipientsOf(text);
      }),
      { numRuns: 1000 },
    );
  });
});
