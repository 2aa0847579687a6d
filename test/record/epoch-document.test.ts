// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isForRecipients, recipientsOf } from '../../src/record/epoch-document.ts';
import { ESCROW, READER, STRANGER } from '../vectors/keys.ts';
import { MANIFEST } from '../vectors/log-vectors.ts';
import { EPOCH_TEXT } from '../vectors/seal-vectors.ts';
import { HOSTILE_TEXTS, hostileText, mutants } from './hostile.ts';
import type { Json } from '../../src/record/canonical.ts';

const [reader, escrow, stranger] = [READER, ESCROW, STRANGER].map(({ recipient }) => recipient.kid);
const named = (...kids: (string | undefined)[]): string =>
  JSON.stringify({ recipients: kids.map((kid) => ({ header: { kid } })) });

describe('an epoch document', () => {
  it('names its recipients', () => {
    expect(recipientsOf(EPOCH_TEXT)).toEqual([reader, escrow]);
    expect(isForRecipients(EPOCH_TEXT, MANIFEST)).toBe(true);
  });

  it.each([
    ['in another order', named(escrow, reader), true],
    ['without escrow', named(reader), false],
    ['with the reader twice instead', named(reader, reader), false],
    ['with a stranger besides', named(reader, escrow, stranger), false],
    ['with a stranger instead', named(reader, stranger), false],
    ['with nobody', named(), false],
    ['with nameless ones', named(undefined, undefined), false],
  ])('%s is for the recipients of the manifest: %s', (_, document, fits) => {
    expect(isForRecipients(document, MANIFEST)).toBe(fits);
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
        isForRecipients(text, MANIFEST);
      }),
      { numRuns: 1000 },
    );
  });
});
