// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EMPTY_RANGE,
  RangeBuilder,
  verifyConsistency,
  verifyInclusion,
  type CompactRange,
} from '../../src/record/merkle.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { referencePath, referenceProof, referenceRoot, someLeaves } from './reference-tree.ts';
import { refusal } from './refusal.ts';

const MOST = 300;
const leaves = someLeaves(MOST);
const roots = Array.from({ length: MOST + 1 }, (_, size) => referenceRoot(leaves.slice(0, size)));

function left(base: number): CompactRange {
  const builder = new RangeBuilder(0);
  for (const leaf of leaves.slice(0, base)) builder.appendLeaf(leaf);
  return builder.range();
}

function windowFrom(base: number, size: number = MOST): TreeWindow {
  const window = new TreeWindow(left(base));
  for (const leaf of leaves.slice(base, size)) window.append(leaf);
  return window;
}

const BASES = [0, 1, 2, 5, 7, 8, 31, 64, 100, 127, 128, 129, 255, 256, 299, 300];

describe('a window on the tree', () => {
  it.each(BASES)('from leaf %d has the root of every size', (base) => {
    const window = windowFrom(base);
    for (let size = base; size <= MOST; size += 1)
      expect(window.root(size).equals(roots[size] as Buffer), `${size}`).toBe(true);
  });

  it.each(BASES)('from leaf %d proves every leaf in every size up to 300', (base) => {
    const window = windowFrom(base);
    for (let size = Math.max(base, 1); size <= MOST; size += base === 0 ? 1 : 3) {
      const root = roots[size] as Buffer;
      for (let index = base; index < size; index += 1) {
        verifyInclusion(leaves[index] as Buffer, index, size, window.inclusionProof(index, size), root);
      }
    }
  });

  it.each(BASES)('from leaf %d proves every pair of sizes up to 300', (base) => {
    const window = windowFrom(base);
    for (let size2 = Math.max(base, 1); size2 <= MOST; size2 += base === 0 ? 1 : 3) {
      for (let size1 = Math.max(base, 1); size1 <= size2; size1 += 1) {
        verifyConsistency(
          size1,
          size2,
          window.consistencyProof(size1, size2),
          roots[size1] as Buffer,
          roots[size2] as Buffer,
        );
      }
    }
  });

  it('gives exactly the proofs of RFC 6962, from any base', () => {
    fc.assert(
      fc.property(fc.nat({ max: MOST }), fc.nat({ max: MOST }), fc.nat({ max: MOST }), (a, b, c) => {
        const [base, size1, size2] = [a, b, c].toSorted((x, y) => x - y) as [number, number, number];
        const window = windowFrom(base, size2);
        if (size1 > 0) expect(window.consistencyProof(size1)).toEqual(referenceProof(size1, leaves.slice(0, size2)));
        if (size1 < size2) expect(window.inclusionProof(size1)).toEqual(referencePath(size1, leaves.slice(0, size2)));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps everything from its new base on when it is made smaller', () => {
    fc.assert(
      fc.property(fc.nat({ max: 90 }), fc.nat({ max: 90 }), fc.nat({ max: 90 }), (a, b, c) => {
        const [base, next, size] = [a, b, c].toSorted((x, y) => x - y) as [number, number, number];
        const before = windowFrom(base, size);
        const after = before.rebased(next);
        expect([after.base, after.size]).toEqual([next, size]);
        for (const window of [before, after]) for (const leaf of leaves.slice(size, size + 20)) window.append(leaf);
        for (let at = next; at <= size + 20; at += 1) {
          expect(after.range(at)).toEqual(before.range(at));
          if (at > 0) expect(after.consistencyProof(at)).toEqual(before.consistencyProof(at));
          if (at < size + 20) expect(after.inclusionProof(at)).toEqual(before.inclusionProof(at));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('grows over many leaves without losing one', () => {
    const many = someLeaves(5000);
    const window = new TreeWindow(EMPTY_RANGE);
    many.forEach((leaf) => window.append(leaf));
    expect(window.root()).toEqual(referenceRoot(many));
    for (const index of [0, 63, 64, 127, 128, 4095, 4096, 4999]) {
      verifyInclusion(many[index] as Buffer, index, 5000, window.inclusionProof(index), window.root());
    }
  });

  it('hands out hashes that later appends do not change', () => {
    const window = windowFrom(0, 64);
    const proof = window.inclusionProof(5);
    const copy = proof.map((hash) => Buffer.from(hash));
    proof.forEach((hash) => hash.fill(0));
    expect(window.inclusionProof(5)).toEqual(copy);
  });

  it('refuses what lies outside of it', () => {
    const window = windowFrom(10, 20);
    const outside = [
      () => window.inclusionProof(9),
      () => window.inclusionProof(20),
      () => window.inclusionProof(12, 12),
      () => window.inclusionProof(12, 21),
      () => window.inclusionProof(12, NaN),
      () => window.inclusionProof(12.5),
      () => window.consistencyProof(9),
      () => window.consistencyProof(21),
      () => window.consistencyProof(15, 14),
      () => window.consistencyProof(15, 21),
      () => window.range(9),
      () => window.range(21),
      () => window.rebased(9),
      () => window.rebased(21),
      () => windowFrom(0, 5).consistencyProof(0),
      () => new TreeWindow({ begin: 0, end: 3, hashes: [leaves[0] as Buffer] }),
      () => new TreeWindow({ begin: 1, end: 2, hashes: [leaves[0] as Buffer] }),
    ];
    for (const [index, act] of outside.entries()) expect(refusal(act), `${index}`).toBe('format/proof');
  });
});
