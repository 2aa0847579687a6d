// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recipientsOf } from '../../src/record/epoch-document.ts';
import { ESCROW, READER } from '../vectors/keys.ts';
import { EPOCH_TEXT } from '../vectors/seal-vectors.ts';
import { standInEpoch } from '../support/stand-in-epoch.ts';
import { HOSTILE_TEXTS, hostileText, mutants } from './hostile.ts';
import type { Json } from '../../src/record/canonical.ts';

const [reader, escrow] = [READER, ESCROW].map(({ recipient }) => recipient.kid);
type Loose = { [name: string]: unknown };
const changed = (change: (jwe: Loose, recipient: Loose, header: Loose, epk: Loose) => void): string => {
  const jwe = JSON.parse(EPOCH_TEXT) as Loose & { recipients: [Loose & { header: Loose & { epk: Loose } }] };
  const [recipient] = jwe.recipients;
  change(jwe, recipient, recipient.header, recipient.header.epk);
  return JSON.stringify(jwe);
};

describe('an epoch document', () => {
  it('names its recipients', () => {
    expect(recipientsOf(EPOCH_TEXT)).toEqual([reader, escrow]);
    expect(recipientsOf(standInEpoch([escrow as string], 'word'))).toEqual([escrow]);
  });

  it('is one line of bounded length', () => {
    expect(recipientsOf(`${EPOCH_TEXT}\n`)).toBeNull();
    expect(recipientsOf(JSON.stringify(JSON.parse(EPOCH_TEXT), null, 1))).toBeNull();
    expect(recipientsOf(EPOCH_TEXT.padEnd(16_385))).toBeNull();
    const many = (count: number): string =>
      standInEpoch(
        Array.from({ length: count }, () => reader as string),
        'w',
      );
    expect(many(47).length).toBeLessThanOrEqual(16_384);
    expect(recipientsOf(many(47))).toHaveLength(47);
    expect(recipientsOf(many(100))).toBeNull();
    expect(recipientsOf(standInEpoch([], 'w'))).toBeNull();
  });

  it.each<[string, string]>([
    ['a member besides', changed((jwe) => void (jwe['unprotected'] = { crit: [] }))],
    ['additional data', changed((jwe) => void (jwe['aad'] = 'AA'))],
    ['a recipient’s member besides', changed((_jwe, recipient) => void (recipient['kid'] = reader))],
    ['a header’s member besides', changed((_jwe, _recipient, header) => void (header['apu'] = 'AA'))],
    ['a private key', changed((_jwe, _recipient, _header, epk) => void (epk['d'] = 'A'.repeat(64)))],
    ['another curve', changed((_jwe, _recipient, _header, epk) => void (epk['crv'] = 'P-256'))],
    ['another algorithm', changed((_jwe, _recipient, header) => void (header['alg'] = 'dir'))],
    ['another kind of key id', changed((_jwe, _recipient, header) => void (header['kid'] = 'reader'))],
    ['no tag', changed((jwe) => void delete jwe['tag'])],
    ['no key', changed((_jwe, recipient) => void delete recipient['encrypted_key'])],
    ['its recipients twice', EPOCH_TEXT.replace('"recipients"', '"recipients":[],"recipients"')],
    ['white space', `${EPOCH_TEXT} `],
  ])('is none with %s', (_name, text) => {
    expect(recipientsOf(text)).toBeNull();
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
