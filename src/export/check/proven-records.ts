// SPDX-License-Identifier: AGPL-3.0-or-later
import { HASH_BYTES, type Hash } from '../../record/hash.ts';

const AT_FIRST = 1024;
const ROW = 3 * HASH_BYTES;

/** The records of a proof, in the order of the log: some hundred bytes each, so that millions can be held against what is said of them. */
export class ProvenRecords {
  /** Of each: its id, what it commits to, and the hash of what it was found to say. */
  #rows = Buffer.alloc(AT_FIRST * ROW);
  #leaves = new Float64Array(AT_FIRST);
  #listed = new Uint8Array(AT_FIRST);
  count = 0;
  /** Of them, those that {@link list} was told of. */
  listed = 0;

  /** Leaves ascend. */
  add(leaf: number, id: Hash, com: string): void {
    if (this.count === this.#leaves.length) this.#grow();
    this.#leaves[this.count] = leaf;
    this.#rows.set(id, this.count * ROW);
    this.#rows.write(com, this.count * ROW + HASH_BYTES, HASH_BYTES, 'hex');
    this.count += 1;
  }

  #grow(): void {
    const most = 2 * this.#leaves.length;
    const [rows, leaves, listed] = [Buffer.alloc(most * ROW), new Float64Array(most), new Uint8Array(most)];
    rows.set(this.#rows);
    leaves.set(this.#leaves);
    listed.set(this.#listed);
    [this.#rows, this.#leaves, this.#listed] = [rows, leaves, listed];
  }

  /** True for a record of the proof. */
  list(leaf: number, id: string): boolean {
    const at = this.#find(leaf);
    if (at === null || this.#hex(at, 0) !== id) return false;
    if (this.#listed[at] === 0) this.listed += 1;
    this.#listed[at] = 1;
    return true;
  }

  /** Hex; null for a leaf that is not proven. */
  commitment(leaf: number): string | null {
    const at = this.#find(leaf);
    return at === null ? null : this.#hex(at, HASH_BYTES);
  }

  /** Notes the hash of what a record says, hex. */
  say(leaf: number, hash: string): void {
    const at = this.#find(leaf);
    if (at !== null) this.#rows.write(hash, at * ROW + 2 * HASH_BYTES, HASH_BYTES, 'hex');
  }

  /** False only where something else was noted. */
  says(leaf: number, hash: string): boolean {
    const at = this.#find(leaf);
    const known = at === null ? NONE : this.#hex(at, 2 * HASH_BYTES);
    return known === NONE || known === hash;
  }

  #hex(at: number, from: number): string {
    return this.#rows.toString('hex', at * ROW + from, at * ROW + from + HASH_BYTES);
  }

  #find(leaf: number): number | null {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#leaves[middle] as number) < leaf) low = middle + 1;
      else high = middle;
    }
    return low < this.count && this.#leaves[low] === leaf ? low : null;
  }
}

const NONE = '00'.repeat(HASH_BYTES);
