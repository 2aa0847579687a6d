// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { compressAndPad, paddedLength } from '../../src/seal/plaintext.ts';
import { newObjectStub, readObjectStub, stubFor } from '../../src/seal/stub.ts';

describe('the stub of a record too long for a body', () => {
  it('comes back, in a padded length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat({ max: 2 ** 32 - 1 }), (bytes, size) => {
        const key = Buffer.from(bytes);
        const padded = newObjectStub({ key, size });
        expect(readObjectStub(padded)).toEqual({ key, size });
        expect(paddedLength(padded.length)).toBe(padded.length);
        expect(stubFor({ key: key.toString('hex'), plainSize: size })).toEqual({ key, size });
      }),
    );
  });

  it('is never taken for a record, nor a record for a stub', () => {
    for (const length of [0, 1, 100, 5000]) expect(readObjectStub(compressAndPad(randomBytes(length)))).toBeNull();
    expect(readObjectStub(Buffer.alloc(40))).toEqual({ key: Buffer.alloc(32), size: 0 });
    for (const short of [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(39)]) expect(readObjectStub(short)).toBeNull();
  });
});
