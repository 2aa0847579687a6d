// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { EMPTY_ROOT, HASH_BYTES, nodeHash, type Hash } from './hash.ts';

/**
 * The hashes of the maximal complete subtrees that cover leaves `begin` (inclusive) to `end` (exclusive), from left to right.
 * Two adjacent ranges merge into one; a range from 0 folds to the root. It is all a writer must remember of a tree.
 */
export interface CompactRange {
  readonly begin: number;
  readonly end: number;
  readonly hashes: readonly Hash[];
}

export const EMPTY_RANGE: CompactRange = { begin: 0, end: 0, hashes: [] };

/** Level (log2 of the size) of the largest complete subtree that starts at `begin` and does not pass `end`. */
function levelAt(begin: number, end: number): number {
  let level = 0;
  let size = 2;
  while (begin % size === 0 && begin + size <= end) {
    size *= 2;
    level += 1;
  }
  return level;
}

/** Levels of the subtrees of the range `[begin, end)`, left to right. */
export function rangeLevels(begin: number, end: number): number[] {
  const levels: number[] = [];
  for (let at = begin; at < end;) {
    const level = levelAt(at, end);
    levels.push(level);
    at += 2 ** level;
  }
  return levels;
}

/** Appends leaf hashes or whole ranges; the state of one growing range. */
export class RangeBuilder {
  readonly begin: number;
  #end: number;
  readonly #hashes: Hash[] = [];
  readonly #levels: number[] = [];

  constructor(start: CompactRange | number) {
    this.begin = typeof start === 'number' ? start : start.begin;
    this.#end = this.begin;
    if (typeof start !== 'number') this.append(start);
  }

  get end(): number {
    return this.#end;
  }

  appendLeaf(hash: Hash): void {
    this.#push(hash, 0);
  }

  /** Throws `format/proof` if the range does not start where this one ends or has the wrong number of hashes. */
  append(range: CompactRange): void {
    if (range.begin !== this.#end) {
      throw new FormatError('format/proof', `a range from leaf ${this.#end}`, `one from leaf ${range.begin}`);
    }
    if (range.end < range.begin) {
      throw new FormatError('format/proof', `a range that ends after leaf ${range.begin}`, `one to leaf ${range.end}`);
    }
    const levels = rangeLevels(range.begin, range.end);
    if (levels.length !== range.hashes.length) {
      throw new FormatError('format/proof', `${levels.length} subtree hashes`, String(range.hashes.length));
    }
    levels.forEach((level, index) => this.#push(range.hashes[index] as Hash, level));
  }

  range(): CompactRange {
    return { begin: this.begin, end: this.#end, hashes: [...this.#hashes] };
  }

  /** Folds complete neighbours as long as both are within this range. */
  #push(hash: Hash, level: number): void {
    const start = this.#end;
    this.#end = start + 2 ** level;
    let joined = hash;
    let joinedLevel = level;
    let joinedStart = start;
    while (this.#levels.at(-1) === joinedLevel && joinedStart % 2 ** (joinedLevel + 1) !== 0) {
      joined = nodeHash(this.#hashes.pop() as Hash, joined);
      this.#levels.pop();
      joinedStart -= 2 ** joinedLevel;
      joinedLevel += 1;
    }
    this.#hashes.push(joined);
    this.#levels.push(joinedLevel);
  }
}

/** Root of the tree of `range.end` leaves. The range must start at 0. */
export function rootOf(range: CompactRange): Hash {
  if (range.begin !== 0) throw new FormatError('format/proof', 'a range from leaf 0', `one from leaf ${range.begin}`);
  const subtrees = rangeLevels(0, range.end).length;
  if (range.hashes.length !== subtrees) {
    throw new FormatError('format/proof', `${subtrees} subtree hashes`, String(range.hashes.length));
  }
  if (subtrees === 0) return EMPTY_ROOT;
  return range.hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** Largest power of two strictly smaller than `n` (n ≥ 2): where RFC 6962 splits a tree. */
export function splitPoint(n: number): number {
  // A loop, because Math.log2 rounds near powers of two.
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

export function isPowerOfTwo(n: number): boolean {
  return n === 1 || (n > 1 && splitPoint(n) * 2 === n);
}

function assertIndex(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new FormatError('format/proof', `${what} ≥ 0`, String(value));
}

function assertHashes(proof: readonly Hash[]): void {
  for (const hash of proof) {
    if (hash.length !== HASH_BYTES) throw new FormatError('format/proof', '32-byte hashes', `${hash.length} bytes`);
  }
}

/**
 * The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2).
 * Throws `format/proof` if the proof has the wrong shape for this index and size; the caller compares the root.
 */
export function rootFromInclusion(leaf: Hash, index: number, size: number, proof: readonly Hash[]): Hash {
  assertIndex('a leaf index', index);
  if (!(index < size)) throw new FormatError('format/proof', `a leaf index below ${size}`, String(index));
  assertHashes([leaf, ...proof]);
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) throw new FormatError('format/proof', 'a shorter inclusion proof', `${proof.length} hashes`);
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  if (last !== 0) throw new FormatError('format/proof', 'a longer inclusion proof', `${proof.length} hashes`);
  return hash;
}

// Sizes pass 2^31, so shifts are out.
function half(n: number): number {
  return Math.floor(n / 2);
}

export function verifyInclusion(leaf: Hash, index: number, size: number, proof: readonly Hash[], root: Hash): void {
  const found = rootFromInclusion(leaf, index, size, proof);
  if (!found.equals(root)) throw new FormatError('format/root', 'the root of the checkpoint', 'another root');
}

/**
 * RFC 9162 section 2.1.4.2: the tree of `size2` leaves starts with the tree of `size1` leaves.
 * A proof from the empty tree is refused here (nothing was committed to); the witness endpoint decides otherwise for itself.
 */
export function verifyConsistency(
  size1: number,
  size2: number,
  proof: readonly Hash[],
  root1: Hash,
  root2: Hash,
): void {
  assertIndex('a first tree size', size1);
  assertIndex('a second tree size', size2);
  assertHashes([root1, root2, ...proof]);
  if (size1 === 0 || size1 > size2) {
    throw new FormatError('format/proof', `0 < first size ≤ ${size2}`, String(size1));
  }
  if (size1 === size2) {
    if (proof.length > 0) throw new FormatError('format/proof', 'an empty proof', `${proof.length} hashes`);
    if (!root1.equals(root2)) throw new FormatError('format/root', 'equal roots for equal sizes', 'different roots');
    return;
  }
  const [found1, found2] = rootsFromConsistency(size1, size2, proof, root1);
  if (!found1.equals(root1)) throw new FormatError('format/root', 'the root of the smaller tree', 'another root');
  if (!found2.equals(root2)) throw new FormatError('format/root', 'the root of the larger tree', 'another root');
}

function rootsFromConsistency(size1: number, size2: number, proof: readonly Hash[], root1: Hash): [Hash, Hash] {
  const path = isPowerOfTwo(size1) ? [root1, ...proof] : proof;
  const first = path[0];
  if (proof.length === 0 || first === undefined) throw new FormatError('format/proof', 'a consistency proof', 'none');
  let node = size1 - 1;
  let last = size2 - 1;
  while (node % 2 === 1) {
    node = half(node);
    last = half(last);
  }
  let hash1 = first;
  let hash2 = first;
  for (const sibling of path.slice(1)) {
    if (last === 0) throw new FormatError('format/proof', 'a shorter consistency proof', `${proof.length} hashes`);
    if (node % 2 === 1 || node === last) {
      hash1 = nodeHash(sibling, hash1);
      hash2 = nodeHash(sibling, hash2);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash2 = nodeHash(hash2, sibling);
    }
    node = half(node);
    last = half(last);
  }
  if (last !== 0) throw new FormatError('format/proof', 'a longer consistency proof', `${proof.length} hashes`);
  return [hash1, hash2];
}
