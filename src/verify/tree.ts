// SPDX-License-Identifier: Apache-2.0
import { EMPTY_ROOT } from '../record/hash.ts';
import { EMPTY_RANGE, RangeBuilder, rangeLevels, rootOf, type CompactRange } from '../record/merkle.ts';

/** The log's tree as far as it has been read, and its root at the sizes somebody asks about. */
export class LogTree {
  #builder = new RangeBuilder(EMPTY_RANGE);
  readonly #wanted: ReadonlySet<number>;
  readonly #ascending: readonly number[];
  readonly #roots = new Map<number, string>([[0, EMPTY_ROOT.toString('hex')]]);

  constructor(wanted: Iterable<number>) {
    this.#wanted = new Set(wanted);
    this.#ascending = [...this.#wanted].toSorted((a, b) => a - b);
  }

  get size(): number {
    return this.#builder.end;
  }

  root(): string {
    return rootOf(this.#builder.range()).toString('hex');
  }

  /** Root at one of the wanted sizes, once it has been passed; null before, and for a size inside of leaves that were not read. */
  rootAt(size: number): string | null {
    return this.#roots.get(size) ?? null;
  }

  /** Wanted sizes between two leaves: the summary of a segment there must give the subtree hashes of those inside of it. */
  wantedBetween(leaf: number, next: number): number[] {
    let [begin, end] = [0, this.#ascending.length];
    while (begin < end) {
      const middle = (begin + end) >>> 1;
      if ((this.#ascending[middle] as number) > leaf) end = middle;
      else begin = middle + 1;
    }
    const sizes: number[] = [];
    for (let at = begin; (this.#ascending[at] ?? Infinity) < next; at += 1) sizes.push(this.#ascending[at] as number);
    return sizes;
  }

  hasEdge(edge: readonly string[]): boolean {
    const { hashes } = this.#builder.range();
    return hashes.length === edge.length && hashes.every((hash, index) => hash.toString('hex') === edge[index]);
  }

  /** Goes on from what a segment says about the leaves before it. What vouches for that is a root further on. */
  jumpTo(size: number, edge: readonly string[]): void {
    this.#builder = new RangeBuilder(rangeOf(0, size, edge));
    this.#remember();
  }

  append(end: number, range: readonly string[], cuts: readonly { size: number; range: readonly string[] }[]): void {
    for (const cut of cuts) {
      const inner = new RangeBuilder(this.#builder.range());
      inner.append(rangeOf(this.size, cut.size, cut.range));
      this.#roots.set(cut.size, rootOf(inner.range()).toString('hex'));
    }
    this.#builder.append(rangeOf(this.size, end, range));
    this.#remember();
  }

  #remember(): void {
    if (this.#wanted.has(this.size)) this.#roots.set(this.size, this.root());
  }
}

function rangeOf(begin: number, end: number, hashes: readonly string[]): CompactRange {
  return {
    begin,
    end,
    hashes: hashes.slice(0, rangeLevels(begin, end).length).map((hash) => Buffer.from(hash, 'hex')),
  };
}
