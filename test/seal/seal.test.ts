// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEntry, sealedPart } from '../../src/record/entry.ts';
import { EpochError } from '../../src/seal/epoch.ts';
import { splitParts, unpadAndInflate } from '../../src/seal/plaintext.ts';
import { MAX_PADDED_BYTES, NONCE_BYTES, prepareParts, sealBody, sealedFields, TAG_BYTES } from '../../src/seal/seal.ts';
import { body as primitiveBody, commitmentOf, recordKey, sha256 } from '../vectors/primitives.ts';
import { EPOCH_ID, EPOCH_SECRET } from '../vectors/seal-vectors.ts';
import { knownEpoch, PARTS, sealPrepared, sealRecord } from './sealing.ts';

const parts = fc.record({
  cap: fc.uint8Array({ maxLength: 100 }),
  view: fc.uint8Array({ maxLength: 500 }),
  raw: fc.uint8Array({ maxLength: 2000 }),
});

describe('a sealed body', () => {
  it('is the AES-256-GCM of its plaintext under the next key, its nonce and its header', () => {
    fc.assert(
      fc.property(parts, fc.nat({ max: 20 }), (value, skip) => {
        const epoch = knownEpoch();
        epoch.ratchet.skipTo(skip);
        const prepared = prepareParts(value);
        const padded = Buffer.from(prepared.padded);
        const { line, body, associated } = sealPrepared(epoch, prepared);
        const nonce = body.subarray(0, NONCE_BYTES);
        expect(body).toEqual(primitiveBody(recordKey(EPOCH_SECRET, EPOCH_ID, skip), nonce, associated, padded));
        const sealed = sealedPart(parseEntry(line));
        expect(sealed?.body).toEqual({ h: sha256(body).toString('hex'), n: body.length });
        expect([sealed?.i, sealed?.epoch, sealed?.com]).toEqual([
          skip,
          EPOCH_ID.toString('hex'),
          prepared.commitment.toString('hex'),
        ]);
        const { parts: opened, salts } = splitParts(unpadAndInflate(padded, 10_000));
        expect([opened.cap, opened.view, opened.raw]).toEqual(
          [value.cap, value.view, value.raw].map((part) => Buffer.from(part)),
        );
        const salted = (['cap', 'view', 'raw'] as const).map((name, at) => ({
          label: 2 + at,
          salt: salts[name],
          bytes: opened[name],
        }));
        expect(commitmentOf(salted)).toEqual(prepared.commitment);
      }),
      { numRuns: 50 },
    );
  });

  it('uses each key once, and each nonce and salt once', () => {
    const epoch = knownEpoch();
    const seen = new Set<string>();
    const count = 300;
    for (let i = 0; i < count; i += 1) {
      const prepared = prepareParts(PARTS);
      const { salts } = splitParts(unpadAndInflate(prepared.padded, 10_000));
      const { body } = sealPrepared(epoch, prepared);
      for (const random of [body.subarray(0, NONCE_BYTES), salts.cap, salts.view, salts.raw]) {
        expect(random.every((byte) => byte === 0)).toBe(false);
        seen.add(random.toString('hex'));
      }
    }
    expect(seen.size).toBe(4 * count);
    expect(epoch.ratchet.index).toBe(count);
  });

  it('says nothing by its commitment: the same parts commit to something else each time', () => {
    expect(prepareParts(PARTS).commitment).not.toEqual(prepareParts(PARTS).commitment);
  });

  it('leaves no plaintext in the buffer it was sealed from, and takes nothing from the caller’s parts', () => {
    const copy = { cap: Buffer.from(PARTS.cap), view: Buffer.from(PARTS.view), raw: Buffer.from(PARTS.raw) };
    const prepared = prepareParts(PARTS);
    expect(prepared.padded.some((byte) => byte !== 0)).toBe(true);
    sealPrepared(knownEpoch(), prepared);
    expect(prepared.padded.every((byte) => byte === 0)).toBe(true);
    expect({ ...PARTS }).toEqual(copy);
  });

  it('says the index of the key that it will take', () => {
    const epoch = knownEpoch();
    epoch.ratchet.skipTo(5);
    expect(sealedFields(epoch, prepareParts(PARTS)).i).toBe(5);
    sealBody(epoch, 5, prepareParts(PARTS).padded, '');
    expect(sealedFields(epoch, prepareParts(PARTS)).i).toBe(6);
  });

  it('takes no key that its header does not name: two headers made at once', () => {
    const epoch = knownEpoch();
    const [first, second] = [prepareParts(PARTS), prepareParts(PARTS)];
    const [one, two] = [sealedFields(epoch, first), sealedFields(epoch, second)];
    sealBody(epoch, one.i, first.padded, '');
    expect(() => sealBody(epoch, two.i, second.padded, '')).toThrow(new EpochError('other-index'));
    expect(epoch.ratchet.index).toBe(1);
  });

  it('is nonce, padded plaintext and tag long, and fits the format up to its limit', () => {
    const { body } = sealRecord(knownEpoch());
    expect(body.length).toBe(NONCE_BYTES + 256 + TAG_BYTES);
    expect(sealBody(knownEpoch(), 0, Buffer.alloc(MAX_PADDED_BYTES), '').bytes.length).toBe(65_536);
  });
});
