// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, newObjectKey, OBJECT_KEY_BYTES, openObject, sealObject } from '../../src/seal/object.ts';
import { gcm, objectBytes } from '../vectors/primitives.ts';
import { OBJECT_KEY, objectPlaintext } from '../vectors/seal-vectors.ts';
import { ownVectors } from '../vectors/shared.ts';
import { rejection } from './sealing.ts';

const SEALED_CHUNK_BYTES = CHUNK_BYTES + 16;

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] as number;
    yield await Promise.resolve(bytes.subarray(at, at + size));
    at += size;
  }
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const seal = (plaintext: Uint8Array, sizes: readonly number[] = [1e9]): Promise<Buffer> =>
  collect(sealObject(OBJECT_KEY, inPieces(plaintext, sizes)));
const open = (sealed: Uint8Array, sizes: readonly number[] = [1e9]): Promise<Buffer> =>
  collect(openObject(OBJECT_KEY, inPieces(sealed, sizes)));
const refusal = (sealed: Uint8Array): Promise<string | null> => rejection(() => open(sealed));

const EDGES = [
  0,
  1,
  2,
  CHUNK_BYTES - 1,
  CHUNK_BYTES,
  CHUNK_BYTES + 1,
  2 * CHUNK_BYTES - 1,
  2 * CHUNK_BYTES,
  2 * CHUNK_BYTES + 1,
];
const sizes = fc.array(
  fc.oneof(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 200_000 }),
    fc.constantFrom(65_535, 65_536, 65_537, 65_552),
  ),
  {
    minLength: 1,
    maxLength: 4,
  },
);

interface Vectors {
  readonly key: string;
  readonly objects: readonly { readonly length: number; readonly sealedLength: number; readonly sha256: string }[];
}
const vectors = ownVectors<Vectors>('object');

describe('a sealed object', () => {
  it.each(vectors.objects)('of $length bytes is the one of the vectors', async ({ length, sealedLength, sha256 }) => {
    const sealed = await collect(
      sealObject(Buffer.from(vectors.key, 'hex'), inPieces(objectPlaintext(length), [1000])),
    );
    expect(sealed.length).toBe(sealedLength);
    expect(createHash('sha256').update(sealed).digest('hex')).toBe(sha256);
    expect(await open(sealed)).toEqual(objectPlaintext(length));
  });

  it.each(EDGES)('of %d bytes is its chunks under AES-256-GCM, numbered, the last one marked', async (length) => {
    const plaintext = objectPlaintext(length);
    const sealed = await seal(plaintext);
    expect(sealed).toEqual(objectBytes(OBJECT_KEY, plaintext));
    expect(await open(sealed)).toEqual(plaintext);
  });

  it('is the same, and opens to the same, however its input is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat({ max: 200_000 }), fc.constantFrom(...EDGES)),
        sizes,
        sizes,
        async (length, cut, cutAgain) => {
          const plaintext = objectPlaintext(length);
          const sealed = await seal(plaintext, cut);
          expect(sealed.equals(objectBytes(OBJECT_KEY, plaintext))).toBe(true);
          expect((await open(sealed, cutAgain)).equals(plaintext)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is the same byte by byte, and with empty pieces between', async () => {
    const plaintext = objectPlaintext(CHUNK_BYTES + 3);
    const sealed = await seal(plaintext, [1]);
    expect(sealed).toEqual(objectBytes(OBJECT_KEY, plaintext));
    expect(await open(sealed, [1])).toEqual(plaintext);
    const withGaps = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of inPieces(plaintext, [1000])) yield* [new Uint8Array(0), piece, new Uint8Array(0)];
    };
    expect(await collect(sealObject(OBJECT_KEY, withGaps()))).toEqual(sealed);
  });

  it('does not depend on buffers that its source uses again', async () => {
    const plaintext = objectPlaintext(150_000);
    const reusing = async function* (bytes: Buffer): AsyncGenerator<Uint8Array> {
      const buffer = Buffer.alloc(10_000);
      for (let at = 0; at < bytes.length; at += buffer.length) yield buffer.subarray(0, bytes.copy(buffer, 0, at));
    };
    const sealed = await collect(sealObject(OBJECT_KEY, reusing(plaintext)));
    expect(sealed).toEqual(objectBytes(OBJECT_KEY, plaintext));
    expect(await collect(openObject(OBJECT_KEY, reusing(sealed)))).toEqual(plaintext);
  });

  it('has a key of its own', () => {
    const keys = Array.from({ length: 50 }, () => newObjectKey().toString('hex'));
    expect(new Set(keys).size).toBe(50);
    expect(newObjectKey()).toHaveLength(OBJECT_KEY_BYTES);
  });
});

describe('a sealed object does not open', () => {
  const plaintext = objectPlaintext(3 * CHUNK_BYTES + 100);
  const chunk = (sealed: Buffer, index: number): Buffer =>
    sealed.subarray(index * SEALED_CHUNK_BYTES, (index + 1) * SEALED_CHUNK_BYTES);

  it('with another key', async () => {
    const sealed = await seal(plaintext);
    expect(await rejection(() => collect(openObject(Buffer.alloc(32, 1), inPieces(sealed, [1e9]))))).toBe(
      'ObjectError does-not-open',
    );
  });

  it('cut at or near any chunk border, or to nothing', async () => {
    const sealed = await seal(plaintext);
    for (let border = 0; border <= 3; border += 1) {
      for (const off of [-17, -16, -15, -1, 0, 1, 15, 16, 17]) {
        const length = border * SEALED_CHUNK_BYTES + off;
        if (length >= 0 && length < sealed.length)
          expect(await refusal(sealed.subarray(0, length))).toMatch(/^ObjectError (truncated|does-not-open)$/);
      }
    }
    expect(await refusal(Buffer.alloc(0))).toBe('ObjectError truncated');
    expect(await refusal(sealed.subarray(0, -1))).toBe('ObjectError does-not-open');
  });

  it('with chunks in another order, left out, doubled, or of another object', async () => {
    const sealed = await seal(plaintext);
    const [a, b, c, last] = [0, 1, 2, 3].map((index) => chunk(sealed, index)) as [Buffer, Buffer, Buffer, Buffer];
    const other = chunk(objectBytes(Buffer.alloc(32, 9), plaintext), 1);
    expect(await refusal(Buffer.concat([a, b, c, last]))).toBeNull();
    for (const chunks of [
      [b, a, c, last],
      [a, c, b, last],
      [a, c, last],
      [b, c, last],
      [a, a, b, c, last],
      [a, b, c, c, last],
      [a, other, c, last],
      [last],
    ]) {
      expect(await refusal(Buffer.concat(chunks))).toBe('ObjectError does-not-open');
    }
  });

  it('with anything behind it', async () => {
    for (const length of [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1]) {
      const sealed = await seal(objectPlaintext(length));
      for (const more of [Buffer.of(0), Buffer.alloc(16), sealed, Buffer.alloc(SEALED_CHUNK_BYTES)]) {
        expect(await refusal(Buffer.concat([sealed, more]))).toMatch(/^ObjectError (truncated|does-not-open)$/);
      }
    }
  });

  it('with the mark of the last chunk on another, or on none', async () => {
    const nonce = (index: number, last: number): Buffer => Buffer.concat([Buffer.alloc(10), Buffer.of(index, last)]);
    const part = objectPlaintext(CHUNK_BYTES);
    const chunks = (first: number, second: number): Buffer =>
      Buffer.concat([gcm(OBJECT_KEY, nonce(0, first), part), gcm(OBJECT_KEY, nonce(1, second), part)]);
    expect(await refusal(chunks(0, 1))).toBeNull();
    for (const [first, second] of [
      [0, 0],
      [1, 1],
      [1, 0],
    ] as const)
      expect(await refusal(chunks(first, second))).toBe('ObjectError does-not-open');
    expect(await refusal(gcm(OBJECT_KEY, nonce(0, 0), part))).toBe('ObjectError does-not-open');
  });

  it('with any bit flipped', async () => {
    const sealed = await seal(objectPlaintext(40));
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const other = Buffer.from(sealed);
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(await refusal(other)).toBe('ObjectError does-not-open');
    }
  });

  it('further than its first bad chunk: what came before was whole', async () => {
    const sealed = await seal(plaintext);
    sealed[2 * SEALED_CHUNK_BYTES + 5] = (sealed[2 * SEALED_CHUNK_BYTES + 5] as number) ^ 1;
    const opened: Buffer[] = [];
    const act = async (): Promise<void> => {
      for await (const piece of openObject(OBJECT_KEY, inPieces(sealed, [9999]))) opened.push(piece);
    };
    expect(await rejection(act)).toBe('ObjectError does-not-open');
    expect(Buffer.concat(opened)).toEqual(plaintext.subarray(0, 2 * CHUNK_BYTES));
  });
});

describe('objects of any length', () => {
  it('are sealed and opened in bounded memory', async () => {
    const length = 64 * 1024 * 1024;
    const piece = objectPlaintext(100_000);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let left = length; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length));
    };
    let [largestStep, inFlight, most, taken] = [0, 0, 0, 0];
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const bytes of source()) {
        inFlight += bytes.length;
        yield bytes;
      }
    };
    // What went in and has not come out is all that either end may hold; a whole object held would show here.
    for await (const bytes of openObject(OBJECT_KEY, sealObject(OBJECT_KEY, counted()))) {
      inFlight -= bytes.length;
      taken += bytes.length;
      largestStep = Math.max(largestStep, bytes.length);
      most = Math.max(most, inFlight);
    }
    expect([taken, inFlight]).toEqual([length, 0]);
    expect(largestStep).toBe(CHUNK_BYTES);
    expect(most).toBeLessThan(5 * CHUNK_BYTES);
  });
});
