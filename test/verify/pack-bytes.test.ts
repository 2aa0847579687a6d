// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256, sha256Hex } from '../../src/record/hash.ts';
import { judgePack, judgePackStream } from '../../src/verify/pack-bytes.ts';

function expected(bodies: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    bodies.map((body, index) => {
      const place = Buffer.alloc(8);
      place.writeUInt32BE(body.length, 0);
      place.writeUInt32BE(index, 4);
      return Buffer.concat([sha256(body), place]);
    }),
  );
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });

describe('a pack', () => {
  test('is judged alike whole and in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(bodies, fc.integer({ min: 1, max: 50 }), async (list, size) => {
        const bytes = Buffer.concat(list);
        const name = sha256Hex(bytes);
        expect(judgePack(bytes, name, expected(list))).toEqual({ hash: name, wrongBodies: null });
        expect(await judgePackStream(pieces(bytes, size), expected(list))).toEqual({ hash: name, wrongBodies: null });
      }),
    );
  });

  test('names the first body that is another, and counts them', async () => {
    const list = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('two'), Buffer.from('three')];
    const bytes = Buffer.from('onetwothree');
    const wanted = expected([Buffer.from('one'), Buffer.alloc(0), Buffer.from('TWO'), Buffer.from('THREE')]);
    const verdict = { hash: sha256Hex(bytes), wrongBodies: { index: 2, count: 2 } };
    expect(judgePack(bytes, sha256Hex(bytes), wanted)).toEqual(verdict);
    expect(await judgePackStream(pieces(bytes, 4), wanted)).toEqual(verdict);
    expect(Buffer.concat(list)).toEqual(bytes);
  });

  test('of another hash is not looked into', () => {
    const bytes = Buffer.from('bytes');
    expect(judgePack(bytes, '0'.repeat(64), expected([Buffer.from('other')])).wrongBodies).toBeNull();
  });
});
