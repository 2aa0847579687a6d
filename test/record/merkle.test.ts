// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_ROOT, leafHash } from '../../src/record/hash.ts';
import * as merkle from '../../src/record/merkle.ts';
import { EMPTY_RANGE, RangeBuilder, rootOf, verifyConsistency, verifyInclusion } from '../../src/record/merkle.ts';
import { ownVectors, sharedJson } from '../vectors/shared.ts';
import { referencePath, referenceProof, referenceRoot, someLeaves } from './reference-tree.ts';
import { refusal } from './refusal.ts';

const decode = (text: string): Buffer => Buffer.from(text, 'base64');

interface InclusionProbe {
  readonly file: string;
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}
interface ConsistencyProbe {
  readonly file: string;
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}
interface OwnTree {
  readonly leaves: readonly string[];
  readonly roots: readonly string[];
  readonly inclusion: readonly { readonly index: number; readonly size: number; readonly proof: readonly string[] }[];
  readonly consistency: readonly {
    readonly size1: number;
    readonly size2: number;
    readonly proof: readonly string[];
  }[];
}

const own = ownVectors<OwnTree>('merkle');
const inclusion: InclusionProbe[] = [
  ...sharedJson<InclusionProbe[]>('rfc6962-merkle/inclusion.json', []),
  ...own.inclusion.map(({ index, size, proof }) => {
    const root = own.roots[size] as string;
    return {
      file: 'own',
      leafIdx: index,
      treeSize: size,
      root,
      leafHash: own.leaves[index] as string,
      proof,
      wantErr: false,
    };
  }),
];
const consistency: ConsistencyProbe[] = [
  ...sharedJson<ConsistencyProbe[]>('rfc6962-merkle/consistency.json', []),
  ...own.consistency.map(({ size1, size2, proof }) => {
    return {
      file: 'own',
      size1,
      size2,
      root1: own.roots[size1] as string,
      root2: own.roots[size2] as string,
      proof,
      wantErr: false,
    };
  }),
];

describe('proofs of others', () => {
  it('of inclusion are accepted and refused as published', () => {
    expect([45, 45 + 98]).toContain(inclusion.length);
    for (const { file, leafIdx, treeSize, root, leafHash: leaf, proof, wantErr } of inclusion) {
      const verdict = refusal(() =>
        verifyInclusion(decode(leaf), leafIdx, treeSize, (proof ?? []).map(decode), decode(root)),
      );
      expect(verdict !== null, file).toBe(wantErr);
    }
  });

  it('of consistency are accepted and refused as published; besides, the empty tree and roots that are no hashes are refused', () => {
    expect([45, 45 + 98]).toContain(consistency.length);
    for (const { file, size1, size2, root1, root2, proof, wantErr } of consistency) {
      const verdict = refusal(() =>
        verifyConsistency(size1, size2, (proof ?? []).map(decode), decode(root1), decode(root2)),
      );
      expect(verdict !== null, file).toBe(wantErr || size1 === 0 || decode(root1).length !== 32);
    }
  });

  it('from the empty tree are refused even if they say nothing', () => {
    expect(refusal(() => verifyConsistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT))).toBe('format/proof');
    expect(refusal(() => verifyConsistency(0, 1, [], EMPTY_ROOT, someLeaves(1)[0] as Buffer))).toBe('format/proof');
  });
});

describe('the reference tree of certificate transparency', () => {
  const tree = sharedJson<{ leafInputsHex: string[]; nodeHashes: string[][]; rootBySize: string[] } | null>(
    'rfc6962-merkle/reference-tree.json',
    null,
  );
  const leaves = tree?.leafInputsHex.map((hex) => leafHash(Buffer.from(hex, 'hex'))) ?? own.leaves.map(decode);
  const roots = tree?.rootBySize ?? own.roots.map((root) => decode(root).toString('hex'));

  it('has our roots', () => {
    const builder = new RangeBuilder(0);
    roots.forEach((root, size) => {
      expect(rootOf(builder.range()).toString('hex'), `size ${size}`).toBe(root);
      const leaf = leaves[size];
      if (leaf !== undefined) builder.appendLeaf(leaf);
    });
  });

  it('has our nodes', () => {
    for (const [level, hashes] of (tree?.nodeHashes ?? []).entries()) {
      hashes.forEach((hash, index) => {
        const builder = new RangeBuilder(index * 2 ** level);
        for (const leaf of leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)) builder.appendLeaf(leaf);
        expect(builder.range().hashes.map((found) => found.toString('hex'))).toEqual([hash]);
      });
    }
  });
});

describe('a range', () => {
  it('gives the same root whatever the leaves are cut into', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 40 }), { maxLength: 12 }), (lengths) => {
        const leaves = someLeaves(lengths.reduce((sum, length) => sum + length, 0));
        const whole = new RangeBuilder(EMPTY_RANGE);
        let at = 0;
        for (const length of lengths) {
          const piece = new RangeBuilder(at);
          for (const leaf of leaves.slice(at, at + length)) piece.appendLeaf(leaf);
          whole.append(piece.range());
          at += length;
          expect(whole.end).toBe(at);
          expect(whole.range().hashes.length).toBe(merkle.rangeLevels(0, at).length);
        }
        expect(rootOf(whole.range())).toEqual(referenceRoot(leaves));
      }),
      { numRuns: 300 },
    );
  });

  it('covers its leaves with complete subtrees, aligned, left to right', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.nat({ max: 2 ** 30 }), (begin, length) => {
        let at = begin;
        for (const level of merkle.rangeLevels(begin, begin + length)) {
          expect(at % 2 ** level).toBe(0);
          at += 2 ** level;
        }
        expect(at).toBe(begin + length);
        expect(merkle.rangeLevels(begin, begin + length).length).toBeLessThanOrEqual(80);
      }),
    );
  });

  it('refuses a neighbour that does not fit', () => {
    const [a, b] = someLeaves(2) as [Buffer, Buffer];
    const builder = new RangeBuilder({ begin: 0, end: 1, hashes: [a] });
    const misfits = [
      { begin: 0, end: 1, hashes: [b] },
      { begin: 2, end: 3, hashes: [b] },
      { begin: 1, end: 2, hashes: [] },
      { begin: 1, end: 2, hashes: [a, b] },
      { begin: 1, end: 0, hashes: [] },
    ];
    for (const range of misfits) expect(refusal(() => builder.append(range))).toBe('format/proof');
    expect(builder.range()).toEqual({ begin: 0, end: 1, hashes: [a] });
  });

  it('has no root unless it starts at leaf 0 and is whole', () => {
    const [a] = someLeaves(1) as [Buffer];
    for (const range of [
      { begin: 1, end: 2, hashes: [a] },
      { begin: 0, end: 3, hashes: [a] },
      { begin: 0, end: 1, hashes: [] },
    ]) {
      expect(refusal(() => rootOf(range))).toBe('format/proof');
    }
  });
});

describe('inclusion', () => {
  it('of every leaf in trees up to 70 leaves follows from the reference proof, and from nothing near it', () => {
    for (let size = 1; size <= 70; size += 1) {
      const leaves = someLeaves(size);
      const root = referenceRoot(leaves);
      for (let index = 0; index < size; index += size > 40 ? 7 : 1) {
        const leaf = leaves[index] as Buffer;
        const proof = referencePath(index, leaves);
        expect(refusal(() => verifyInclusion(leaf, index, size, proof, root))).toBeNull();
        for (const other of spoiled(proof))
          expect(refusal(() => verifyInclusion(leaf, index, size, other, root))).not.toBeNull();
        for (const other of [index - 1, index + 1, size]) {
          expect(refusal(() => verifyInclusion(leaf, other, size, proof, root))).not.toBeNull();
        }
        expect(refusal(() => verifyInclusion(flipped(leaf), index, size, proof, root))).toBe('format/root');
        expect(refusal(() => verifyInclusion(leaf, index, size, proof, flipped(root)))).toBe('format/root');
      }
    }
  });

  it('is refused for numbers that are no places', () => {
    const leaf = someLeaves(1)[0] as Buffer;
    for (const [index, size] of [
      [0, 0],
      [-1, 1],
      [0.5, 1],
      [NaN, 1],
      [0, NaN],
      [1, 1],
      [2 ** 53, 2 ** 54],
    ] as const) {
      expect(refusal(() => verifyInclusion(leaf, index, size, [], leaf))).toBe('format/proof');
    }
  });

  it('is refused for hashes of another length, so that a node cannot pass for a leaf', () => {
    const [a, b] = someLeaves(2) as [Buffer, Buffer];
    const root = referenceRoot([a, b]);
    expect(refusal(() => verifyInclusion(a, 0, 2, [Buffer.concat([b, b])], root))).toBe('format/proof');
    expect(refusal(() => verifyInclusion(a.subarray(1), 0, 2, [b], root))).toBe('format/proof');
  });

  it('works beyond 2^32 leaves', () => {
    const size = 2 ** 40 + 1;
    const last = someLeaves(1)[0] as Buffer;
    const left = flipped(last);
    const root = rootOf({ begin: 0, end: size, hashes: [left, last] });
    expect(refusal(() => verifyInclusion(last, 2 ** 40, size, [left], root))).toBeNull();
  });
});

describe('consistency', () => {
  it('of every pair of sizes up to 60 follows from the reference proof, and from nothing near it', () => {
    const all = someLeaves(60);
    const roots = Array.from({ length: 61 }, (_, size) => referenceRoot(all.slice(0, size)));
    for (let size2 = 1; size2 <= 60; size2 += 1) {
      for (let size1 = 1; size1 <= size2; size1 += 1) {
        const [root1, root2] = [roots[size1] as Buffer, roots[size2] as Buffer];
        const proof = referenceProof(size1, all.slice(0, size2));
        expect(refusal(() => verifyConsistency(size1, size2, proof, root1, root2))).toBeNull();
        for (const other of spoiled(proof)) {
          expect(
            refusal(() => verifyConsistency(size1, size2, other, root1, root2)),
            `${size1} of ${size2}`,
          ).not.toBeNull();
        }
        expect(refusal(() => verifyConsistency(size1, size2, proof, flipped(root1), root2))).toBe('format/root');
        expect(refusal(() => verifyConsistency(size1, size2, proof, root1, flipped(root2)))).toBe('format/root');
        if (size1 < size2)
          expect(refusal(() => verifyConsistency(size2, size1, proof, root2, root1))).toBe('format/proof');
      }
    }
  });
});

function flipped(hash: Buffer): Buffer {
  const other = Buffer.from(hash);
  other[17] = (other[17] as number) ^ 1;
  return other;
}

/** Proofs near to one: each hash changed, left out, doubled; neighbours swapped; one more at either end. */
function* spoiled(proof: readonly Buffer[]): Generator<Buffer[]> {
  const extra = flipped(someLeaves(1)[0] as Buffer);
  yield [extra, ...proof];
  yield [...proof, extra];
  for (const [index, hash] of proof.entries()) {
    yield proof.with(index, flipped(hash));
    yield proof.with(index, hash.subarray(1));
    yield proof.toSpliced(index, 1);
    yield proof.toSpliced(index, 0, hash);
    const next = proof[index + 1];
    if (next !== undefined) yield proof.with(index, next).with(index + 1, hash);
  }
}

describe('arithmetic of sizes', () => {
  it('splits below, and knows powers of two, beyond 2^31 as well', () => {
    for (let exponent = 1; exponent <= 52; exponent += 1) {
      const power = 2 ** exponent;
      expect(merkle.splitPoint(power + 1)).toBe(power);
      expect(merkle.splitPoint(power)).toBe(power / 2);
      expect(merkle.isPowerOfTwo(power)).toBe(true);
      expect(merkle.isPowerOfTwo(power + 1)).toBe(false);
    }
    expect([0, 1, 2, 3].map(merkle.isPowerOfTwo)).toEqual([false, true, true, false]);
  });
});
