// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { commitPart, commitRecord } from '../../src/record/commitment.ts';
import {
  compressAndPad,
  joinParts,
  paddedLength,
  splitParts,
  unpadAndInflate,
  type Parts,
} from '../../src/seal/plaintext.ts';
import { commitmentOf, partBytes, padme } from '../vectors/primitives.ts';
import { ownVectors } from '../vectors/shared.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
const parts: fc.Arbitrary<Parts> = fc.record({ cap: bytes, view: bytes, raw: bytes });
const MEBIBYTE = 1024 * 1024;
const salted = ({ cap, view, raw }: Parts, salts: Buffer) =>
  [cap, view, raw].map((part, at) => ({
    label: 2 + at,
    salt: salts.subarray(32 * at, 32 * at + 32),
    bytes: Buffer.from(part),
  }));

describe('the parts of a record', () => {
  it('are joined as the format says, and committed to', () => {
    fc.assert(
      fc.property(parts, (value) => {
        const salts = randomBytes(96);
        const { joined, commitment } = joinParts(value, salts);
        expect(joined).toEqual(Buffer.concat(salted(value, salts).map(partBytes)));
        expect(commitment).toEqual(commitmentOf(salted(value, salts)));
      }),
    );
  });

  it('come back with their salts, and lead to the same commitment', () => {
    fc.assert(
      fc.property(parts, (value) => {
        const salts = randomBytes(96);
        const { joined, commitment } = joinParts(value, salts);
        const opened = splitParts(joined);
        expect(opened.parts).toEqual(value);
        expect(Buffer.concat([opened.salts.cap, opened.salts.view, opened.salts.raw])).toEqual(salts);
        const [cap, view, raw] = (['cap', 'view', 'raw'] as const).map((name) =>
          commitPart(name, opened.salts[name], opened.parts[name]),
        );
        expect(commitRecord({ cap: cap as Buffer, view: view as Buffer, raw: raw as Buffer })).toEqual(commitment);
      }),
    );
  });

  it('are refused with RangeError cut short, with bytes behind, or as anything else', () => {
    const { joined } = joinParts({ cap: Buffer.of(1), view: Buffer.of(2), raw: Buffer.of(3) }, Buffer.alloc(96));
    for (let length = 0; length < joined.length; length += 1)
      expect(() => splitParts(joined.subarray(0, length))).toThrow(RangeError);
    expect(() => splitParts(Buffer.concat([joined, Buffer.of(0)]))).toThrow(RangeError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        expect(() => splitParts(Buffer.from(noise))).toThrow(RangeError);
      }),
    );
  });
});

describe('a padded length', () => {
  it.each(ownVectors<{ cases: { length: number; padded: number }[] }>('padding').cases)(
    'of $length is $padded',
    ({ length, padded }) => {
      expect(paddedLength(length)).toBe(padded);
    },
  );

  it('never shrinks, never falls below what it holds, and adds at most 12 % above the floor', () => {
    let before = 0;
    for (let length = 0; length <= 140_000; length += 1) {
      const padded = paddedLength(length);
      // Compared by hand: a matcher per length takes longer than the lengths.
      if (padded < before || padded < length || padded < 256) throw new Error(`length ${length} pads to ${padded}`);
      if (length > 256 && padded > length * 1.12) throw new Error(`length ${length} pads to ${padded}`);
      before = padded;
    }
    const large = fc.integer({ min: 257, max: 2 ** 31 - 2 ** 27 });
    fc.assert(
      fc.property(large, (length) => {
        const padded = paddedLength(length);
        expect(padded >= length && padded <= length * 1.12).toBe(true);
        expect(padded).toBe(padme(length));
        expect(paddedLength(padded)).toBe(padded);
        expect(paddedLength(length + 1) >= padded).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('tells few lengths apart', () => {
    const lengths = new Set(Array.from({ length: 65_508 }, (_, length) => paddedLength(length)));
    expect(lengths.size).toBeLessThan(140);
  });
});

describe('a padded plaintext', () => {
  it('comes back, whatever it is, in one of the padded lengths', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (value) => {
        const padded = compressAndPad(Buffer.from(value));
        expect(paddedLength(padded.length)).toBe(padded.length);
        expect(unpadAndInflate(padded, 4000)).toEqual(Buffer.from(value));
        expect(padded.subarray(4 + padded.readUInt32BE(0)).every((byte) => byte === 0)).toBe(true);
      }),
    );
  });

  it('comes back where it does not shrink, and is much longer than one piece of output', () => {
    for (const length of [16_000, 16_384, 70_000, 1_000_000]) {
      const noise = randomBytes(length);
      expect(unpadAndInflate(compressAndPad(noise), length)).toEqual(noise);
    }
  });

  it('refuses to inflate beyond what is allowed, without inflating it', () => {
    const bomb = compressAndPad(Buffer.alloc(200 * MEBIBYTE));
    expect(bomb.length).toBeLessThan(64 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => unpadAndInflate(bomb, MEBIBYTE)).toThrow();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MEBIBYTE);
    expect(unpadAndInflate(compressAndPad(Buffer.alloc(MEBIBYTE)), MEBIBYTE)).toHaveLength(MEBIBYTE);
    expect(() => unpadAndInflate(compressAndPad(Buffer.alloc(MEBIBYTE + 1)), MEBIBYTE)).toThrow();
  });

  it('is refused with a length beyond its end, without a length, and with anything but zstd', () => {
    const padded = compressAndPad(Buffer.from('x'));
    const long = Buffer.from(padded);
    long.writeUInt32BE(padded.length - 3, 0);
    expect(() => unpadAndInflate(long, 1000)).toThrow(RangeError);
    long.writeUInt32BE(0xffffffff, 0);
    expect(() => unpadAndInflate(long, 1000)).toThrow(RangeError);
    for (const noise of [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(256), Buffer.alloc(256, 1)]) {
      expect(() => unpadAndInflate(noise, 1000)).toThrow();
    }
    const frame = zstdCompressSync(Buffer.from('x'));
    const full = Buffer.concat([Buffer.of(0, 0, 0, frame.length), frame]);
    expect(unpadAndInflate(full, 1000)).toEqual(Buffer.from('x'));
    expect(() => unpadAndInflate(full.subarray(0, -1), 1000)).toThrow(RangeError);
    for (let length = 0; length < frame.length; length += 1) {
      const cut = Buffer.alloc(256);
      cut.writeUInt32BE(length, 0);
      cut.set(frame.subarray(0, length), 4);
      expect(() => unpadAndInflate(cut, 1000)).toThrow();
    }
  });
});
