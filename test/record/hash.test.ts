// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EMPTY_ROOT, leafHash, nodeHash, sha256, sha256Hex } from '../../src/record/hash.ts';
import { sharedJson } from '../vectors/shared.ts';

const byCrypto = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();

const published = sharedJson<{ hasher: Record<string, string> } | null>(
  'rfc6962-merkle/reference-tree.json',
  null,
)?.hasher;

describe('the hashes of the tree', () => {
  it('are those of RFC 6962', () => {
    const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    const emptyLeaf = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d';
    expect(EMPTY_ROOT.toString('hex')).toBe(published?.['empty'] ?? empty);
    expect(leafHash(Buffer.alloc(0)).toString('hex')).toBe(published?.['emptyLeaf'] ?? emptyLeaf);
    const leaf = published?.['leafL123456'] ?? '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56';
    expect(leafHash(Buffer.from('L123456')).toString('hex')).toBe(leaf);
    const node = published?.['nodeN123N456'] ?? 'aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb';
    expect(byCrypto(Buffer.of(1), Buffer.from('N123'), Buffer.from('N456')).toString('hex')).toBe(node);
  });

  it.each([0, 1, 4096, 8190, 8191, 8192, 8193, 100_000])(
    'hash a leaf of %d bytes, and leave nothing of it behind',
    (length) => {
      const long = Buffer.alloc(length, 0xab);
      expect(leafHash(long)).toEqual(byCrypto(Buffer.of(0), long));
      expect(leafHash(Buffer.of(7))).toEqual(byCrypto(Buffer.of(0, 7)));
    },
  );

  it('hash nodes, in their order', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(hash, hash, (left, right) => {
        expect(nodeHash(left, right)).toEqual(byCrypto(Buffer.of(1), left, right));
      }),
    );
  });

  it('give results of their own: a later hash does not change an earlier one', () => {
    const first = leafHash(Buffer.of(1));
    const copy = Buffer.from(first);
    leafHash(Buffer.of(2));
    nodeHash(first, first);
    expect(first).toEqual(copy);
  });
});

describe('sha256', () => {
  it('takes text as UTF-8', () => {
    expect(sha256('é')).toEqual(byCrypto(Buffer.from('é')));
    expect(sha256Hex('é')).toBe(byCrypto(Buffer.from('é')).toString('hex'));
  });
});
