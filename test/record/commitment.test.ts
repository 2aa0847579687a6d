// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commitPart,
  commitRecord,
  PART_HEAD_BYTES,
  PARTS,
  readPart,
  writePart,
  type PartName,
} from '../../src/record/commitment.ts';
import { ownVectors } from '../vectors/shared.ts';

interface Vectors {
  readonly parts: readonly {
    readonly name: PartName;
    readonly salt: string;
    readonly bytes: string;
    readonly commitment: string;
  }[];
  readonly com: string;
}
const vectors = ownVectors<Vectors>('commitment');
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

const salt = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const bytes = fc.uint8Array({ maxLength: 60 }).map((value) => Buffer.from(value));
const name = fc.constantFrom(...PARTS);

describe('a commitment', () => {
  it('is the one of the vectors', () => {
    const parts = vectors.parts.map((part) => commitPart(part.name, hex(part.salt), hex(part.bytes)));
    expect(parts.map((part) => part.toString('hex'))).toEqual(vectors.parts.map(({ commitment }) => commitment));
    const [cap, view, raw] = parts as [Buffer, Buffer, Buffer];
    expect(commitRecord({ cap, view, raw }).toString('hex')).toBe(vectors.com);
  });

  it('differs where name, salt or bytes differ, however they are cut', () => {
    fc.assert(
      fc.property(name, salt, bytes, name, salt, bytes, (name1, salt1, bytes1, name2, salt2, bytes2) => {
        const same = name1 === name2 && salt1.equals(salt2) && bytes1.equals(bytes2);
        expect(commitPart(name1, salt1, bytes1).equals(commitPart(name2, salt2, bytes2))).toBe(same);
      }),
    );
    const long = Buffer.alloc(40, 7);
    expect(commitPart('raw', long.subarray(0, 32), long.subarray(32))).not.toEqual(
      commitPart('raw', long.subarray(0, 32), long.subarray(31)),
    );
  });

  it('of a record depends on which part is which', () => {
    const [cap, view, raw] = [1, 2, 3].map((value) => Buffer.alloc(32, value)) as [Buffer, Buffer, Buffer];
    expect(commitRecord({ cap, view, raw })).not.toEqual(commitRecord({ cap: view, view: cap, raw }));
  });
});

describe('a part', () => {
  it('is read where it was written, and tells where it ends', () => {
    fc.assert(
      fc.property(name, salt, bytes, fc.nat({ max: 9 }), (part, grain, content, at) => {
        const into = Buffer.alloc(at + PART_HEAD_BYTES + content.length + 3, 0xee);
        const end = writePart(into, at, part, grain, content);
        expect(end).toBe(at + PART_HEAD_BYTES + content.length);
        expect(readPart(into, at, part)).toEqual({ salt: grain, bytes: content, end });
        expect(
          into.subarray(0, at).every((byte) => byte === 0xee) && into.subarray(end).every((byte) => byte === 0xee),
        ).toBe(true);
      }),
    );
  });

  it('is refused with RangeError under another name, cut short, or anything else', () => {
    const into = Buffer.alloc(PART_HEAD_BYTES + 5);
    writePart(into, 0, 'view', Buffer.alloc(32), Buffer.from('hello'));
    for (const other of ['cap', 'raw'] as const) expect(() => readPart(into, 0, other)).toThrow(RangeError);
    for (let length = 0; length < into.length; length += 1)
      expect(() => readPart(into.subarray(0, length), 0, 'view')).toThrow(RangeError);
    expect(() => readPart(into, into.length, 'view')).toThrow(RangeError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 90 }), name, (noise, at, part) => {
        try {
          const { end } = readPart(Buffer.from(noise), at, part);
          expect(end).toBeLessThanOrEqual(noise.length);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
