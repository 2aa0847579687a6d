// SPDX-License-Identifier: Apache-2.0
import type { StoredVersion } from './reader.ts';

/** A stored object as the listing showed it. `version` is empty where it is the only one. */
export interface StoredObject {
  readonly size: number;
  readonly version: string;
}

const FIRST_CAPACITY = 1024;
const DIGITS = 16;

/**
 * The objects of one folder, from a listing in ascending order: 17 bytes each, so that millions fit. Names are hashes or
 * numbers of fixed width. Of a hash the first 64 bits are kept; whoever else begins with the same bits is kept whole.
 */
export class Inventory {
  readonly #radix: 10 | 16;
  #high = new Uint32Array(FIRST_CAPACITY);
  #low = new Uint32Array(FIRST_CAPACITY);
  #sizes = new Float64Array(FIRST_CAPACITY);
  #seen = new Uint8Array(FIRST_CAPACITY);
  #count = 0;
  bytes = 0;
  #lastName = '';
  /** Objects with several versions, and those whose first 64 bits are another's. */
  readonly #special = new Map<string, StoredObject>();
  readonly #specialSeen = new Set<string>();

  /** Names of 64 hexadecimal or of 16 decimal digits. */
  constructor(names: 'hashes' | 'leaves') {
    this.#radix = names === 'hashes' ? 16 : 10;
  }

  get count(): number {
    return this.#count + this.#special.size;
  }

  /** `versions` newest first, without delete markers; the last one is the object. */
  add(name: string, versions: readonly StoredVersion[]): void {
    const winner = versions.at(-1);
    if (winner === undefined) return;
    const { size, version } = winner;
    this.bytes += size;
    const [high, low] = this.#bits(name);
    const collides = this.#count > 0 && this.#high[this.#count - 1] === high && this.#low[this.#count - 1] === low;
    // A listing out of order could not be searched, so whatever is not ascending is kept whole too.
    if (versions.length > 1 || collides || name <= this.#lastName) {
      this.#special.set(name, { size, version });
      return;
    }
    this.#lastName = name;
    this.#reserve();
    this.#high[this.#count] = high;
    this.#low[this.#count] = low;
    this.#sizes[this.#count] = size;
    this.#count += 1;
  }

  peek(name: string): StoredObject | null {
    const special = this.#special.get(name);
    if (special !== undefined) return special;
    const index = this.#indexOf(name);
    return index < 0 ? null : { size: this.#sizes[index] as number, version: '' };
  }

  /** Looks up a name and remembers that it was asked for. */
  find(name: string): StoredObject | null {
    if (this.#special.has(name)) this.#specialSeen.add(name);
    else if (this.#indexOf(name) >= 0) this.#seen[this.#indexOf(name)] = 1;
    return this.peek(name);
  }

  wasAskedFor(name: string): boolean {
    if (this.#special.has(name)) return this.#specialSeen.has(name);
    const index = this.#indexOf(name);
    return index >= 0 && this.#seen[index] === 1;
  }

  /** How many were never asked for. */
  unasked(): number {
    return this.count - this.#specialSeen.size - this.#seen.subarray(0, this.#count).reduce((sum, bit) => sum + bit, 0);
  }

  /** Leaf numbers in ascending order. */
  *leaves(): Generator<number> {
    const special = [...this.#special.keys()].map(Number).toSorted((a, b) => a - b);
    for (let index = 0; index < this.#count; index += 1) {
      const leaf = (this.#high[index] as number) * 2 ** 32 + (this.#low[index] as number);
      while (special[0] !== undefined && special[0] < leaf) yield special.shift() as number;
      yield leaf;
    }
    yield* special;
  }

  #indexOf(name: string): number {
    const [high, low] = this.#bits(name);
    let begin = 0;
    let end = this.#count;
    while (begin < end) {
      const middle = (begin + end) >>> 1;
      const order = (this.#high[middle] as number) - high || (this.#low[middle] as number) - low;
      if (order === 0) return middle;
      if (order < 0) begin = middle + 1;
      else end = middle;
    }
    return -1;
  }

  #bits(name: string): [number, number] {
    if (this.#radix === 16) return [Number.parseInt(name.slice(0, 8), 16), Number.parseInt(name.slice(8, DIGITS), 16)];
    const leaf = Number(name);
    return [Math.floor(leaf / 2 ** 32), leaf % 2 ** 32];
  }

  #reserve(): void {
    if (this.#count < this.#sizes.length) return;
    const grown = <T extends Uint32Array | Float64Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    const capacity = this.#count * 2;
    this.#high = grown(this.#high, new Uint32Array(capacity));
    this.#low = grown(this.#low, new Uint32Array(capacity));
    this.#sizes = grown(this.#sizes, new Float64Array(capacity));
    this.#seen = grown(this.#seen, new Uint8Array(capacity));
  }
}
