// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { encodeEntry, sealedPart } from '../../src/record/entry.ts';
import type { BytesRef, GapEntry, SealedEntry } from '../../src/record/entry-types.ts';
import { associatedData, renderHeader } from '../../src/seal/header.ts';
import { sealedHeader, type SealedHeader } from '../../src/seal/open.ts';
import { ENTRIES } from '../record/arbitraries.ts';

const sealedGap = ENTRIES.gap.filter((gap) => gap.body !== undefined);

describe.each([
  ['content', ENTRIES.content],
  ['media', ENTRIES.media],
  ['access', ENTRIES.access],
  ['gap', sealedGap],
] as const)('the header of %s', (_, arbitrary) => {
  it('is written as encodeEntry writes it', () => {
    fc.assert(
      fc.property(arbitrary as fc.Arbitrary<SealedEntry | GapEntry>, (entry) => {
        const { body, ...header } = entry;
        expect(renderHeader(header, body as BytesRef)).toBe(encodeEntry(entry));
        expect(sealedPart(entry)?.body).toEqual(body);
      }),
      { numRuns: 300 },
    );
  });

  it('without its body is the associated data', () => {
    fc.assert(
      fc.property(arbitrary as fc.Arbitrary<SealedEntry | GapEntry>, (entry) => {
        const { body, ...header } = entry;
        expect(associatedData(header)).toBe(canonicalize(header as unknown as Json));
        expect(encodeEntry(entry).replace(`"body":${canonicalize(body as unknown as Json)},`, '')).toBe(
          associatedData(header),
        );
        const { associated, obj, ...sealed } = sealedHeader(entry, encodeEntry(entry)) as SealedHeader;
        expect(associated).toBe(associatedData(header));
        expect(entry).toMatchObject(sealed);
        expect(obj).toEqual('obj' in entry ? entry.obj : []);
      }),
      { numRuns: 300 },
    );
  });
});
