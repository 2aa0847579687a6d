// SPDX-License-Identifier: AGPL-3.0-or-later
import type { PackRange } from './open-records.ts';

/** Which packs may hold the body of a leaf: those of its segment, one of each retention class. */
export class PackFinder {
  readonly #ranges: readonly PackRange[];
  /** The furthest end of all ranges up to this one: looking back may stop where that lies before the leaf. */
  readonly #reach: readonly number[];

  /** Ranges in ascending order of their first leaf. */
  constructor(ranges: readonly PackRange[]) {
    this.#ranges = ranges;
    let reach = 0;
    this.#reach = ranges.map(({ end }) => (reach = Math.max(reach, end)));
  }

  *at(leaf: number): Generator<string> {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle] as PackRange).first <= leaf) low = middle + 1;
      else high = middle;
    }
    for (let at = low - 1; at >= 0 && (this.#reach[at] as number) > leaf; at -= 1) {
      const { hash, end } = this.#ranges[at] as PackRange;
      if (end > leaf) yield hash;
    }
  }
}
