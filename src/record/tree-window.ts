// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { HASH_BYTES, nodeHash, type Hash } from './hash.ts';
import { isPowerOfTwo, RangeBuilder, rangeLevels, rootOf, splitPoint, type CompactRange } from './merkle.ts';
import { consistencySpans, inclusionSpans } from './proof-spans.ts';

/**
 * The right-hand part of a log's tree, from `base` on, with what is left of it as a compact range. It gives roots,
 * inclusion proofs for leaves in the window and consistency proofs between sizes in the window, in memory bounded by the
 * window (64 bytes a leaf), whatever the size of the log.
 */
export class TreeWindow {
  readonly #left: CompactRange;
  /** Per level: the hashes of all complete subtrees that lie wholly inside the window. */
  readonly #levels: HashColumn[] = [];
  #end: number;

  /** `left` is the compact range `[0, base)`. */
  constructor(left: CompactRange) {
    rootOf(left);
    this.#left = left;
    this.#end = left.end;
  }

  get base(): number {
    return this.#left.end;
  }

  get size(): number {
    return this.#end;
  }

  append(leaf: Hash): void {
    let index = this.#end;
    let hash = leaf;
    for (let level = 0; ; level += 1) {
      this.#column(level).push(hash);
      // The parent is complete, and inside the window, when this is a right child whose sibling is inside too.
      if (index % 2 === 0 || index - 1 < this.#column(level).first) break;
      hash = nodeHash(this.#column(level).at(index - 1), hash);
      index = (index - 1) / 2;
    }
    this.#end += 1;
  }

  #column(level: number): HashColumn {
    const known = this.#levels[level];
    if (known !== undefined) return known;
    const column = new HashColumn(Math.ceil(this.base / 2 ** level));
    this.#levels[level] = column;
    return column;
  }

  /** The compact range `[0, size)` for any size from `base` to the present one. */
  range(size: number = this.#end): CompactRange {
    this.#assertInside('a tree size', size, this.#end);
    const builder = new RangeBuilder(this.#left);
    let at = this.base;
    for (const level of rangeLevels(this.base, size)) {
      const hash = this.#column(level).at(at / 2 ** level);
      builder.append({ begin: at, end: at + 2 ** level, hashes: [hash] });
      at += 2 ** level;
    }
    return builder.range();
  }

  root(size: number = this.#end): Hash {
    return rootOf(this.range(size));
  }

  /** RFC 6962 section 2.1.1, for a leaf in the window. */
  inclusionProof(index: number, size: number = this.#end): Hash[] {
    this.#assertInside('a leaf index', index, size - 1);
    this.#assertInside('a tree size', size, this.#end);
    return inclusionSpans(index, size).map((span) => this.#subtree(...span));
  }

  /** RFC 6962 section 2.1.2, between two sizes in the window (`size1` > 0). */
  consistencyProof(size1: number, size2: number = this.#end): Hash[] {
    this.#assertInside('a tree size', size2, this.#end);
    this.#assertInside('a tree size', size1, size2);
    return consistencySpans(size1, size2).map((span) => this.#subtree(...span));
  }

  /** Hash of the (possibly ragged) subtree over `[begin, end)` as RFC 6962 splits it. */
  #subtree(begin: number, end: number): Hash {
    const size = end - begin;
    if (isPowerOfTwo(size) && begin % size === 0) {
      const known = this.#completeSubtree(Math.round(Math.log2(size)), begin);
      if (known !== null) return known;
    }
    if (size === 1)
      throw new FormatError('format/proof', `a leaf from ${this.base} on`, `leaf ${begin}, which is older`);
    const middle = begin + splitPoint(size);
    return nodeHash(this.#subtree(begin, middle), this.#subtree(middle, end));
  }

  #completeSubtree(level: number, begin: number): Hash | null {
    if (begin >= this.base) return this.#column(level).at(begin / 2 ** level);
    let at = 0;
    for (const [index, leftLevel] of rangeLevels(0, this.base).entries()) {
      if (at === begin && leftLevel === level) return this.#left.hashes[index] as Hash;
      at += 2 ** leftLevel;
    }
    return null;
  }

  #assertInside(what: string, value: number, most: number): void {
    if (!Number.isSafeInteger(value) || value < this.base || value > most) {
      throw new FormatError('format/proof', `${what} from ${this.base} to ${most}`, String(value));
    }
  }

  /** A smaller window over the same tree, to bound memory. */
  rebased(base: number): TreeWindow {
    const window = new TreeWindow(this.range(base));
    const leaves = this.#column(0);
    for (let index = base; index < this.#end; index += 1) window.append(leaves.at(index));
    return window;
  }
}

/** A growing column of 32-byte hashes in one buffer, numbered from `first`. */
class HashColumn {
  readonly first: number;
  #bytes = Buffer.alloc(64 * HASH_BYTES);
  #count = 0;

  constructor(first: number) {
    this.first = first;
  }

  push(hash: Hash): void {
    const offset = this.#count * HASH_BYTES;
    if (offset === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    this.#bytes.set(hash, offset);
    this.#count += 1;
  }

  at(index: number): Hash {
    const place = index - this.first;
    if (place < 0 || place >= this.#count) {
      throw new FormatError(
        'format/proof',
        `a node from ${this.first} to ${this.first + this.#count - 1}`,
        String(index),
      );
    }
    return Buffer.from(this.#bytes.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES));
  }
}
