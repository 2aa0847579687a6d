// SPDX-License-Identifier: Apache-2.0
import type { LeafRange, PackEntry } from '../record/entry-types.ts';
import type { Findings } from './findings.ts';
import { PACK_BODY_BYTES, type PackBodies } from './summary.ts';

const HASH_BYTES = 32;

interface Bodies {
  readonly hashes: string[];
  readonly lengths: number[];
  /** Index of its record in the segment, ascending. */
  readonly indices: number[];
  readonly isCovered: boolean[];
}

/** The bodies of a segment's records and the packs that claim them: every body in exactly one pack of its class. */
export class BodyCover {
  readonly #firstLeaf: number;
  readonly #findings: Findings;
  readonly #byClass = new Map<string, Bodies>();
  /** Leaves that could not be read: what they had is not known. */
  readonly #broken: number[] = [];

  constructor(firstLeaf: number, findings: Findings) {
    this.#firstLeaf = firstLeaf;
    this.#findings = findings;
  }

  add(index: number, ret: string, body: { readonly h: string; readonly n: number }): void {
    let bodies = this.#byClass.get(ret);
    if (bodies === undefined) {
      bodies = { hashes: [], lengths: [], indices: [], isCovered: [] };
      this.#byClass.set(ret, bodies);
    }
    bodies.hashes.push(body.h);
    bodies.lengths.push(body.n);
    bodies.indices.push(index);
    bodies.isCovered.push(false);
  }

  addBroken(index: number): void {
    this.#broken.push(index);
  }

  /** Judges one pack entry. `records` is the number of entries that may have bodies. */
  claim(entry: PackEntry, leaf: number, records: number): PackBodies {
    const ranges = entry.leaves.map(([first, count]): LeafRange => [first - this.#firstLeaf, count]);
    const inside = ranges.every(([first, count]) => first >= 0 && first + count <= records);
    if (!inside) {
      const expected = `leaves ${this.#firstLeaf} to ${this.#firstLeaf + records - 1}`;
      this.#findings.add('verify/pack-range', { leaf }, expected, 'leaves outside of them');
      return { leaf, bodies: new Uint8Array(0), whole: false };
    }
    const mine = this.#select(entry.ret, ranges, leaf);
    const length = mine.reduce((sum, at) => sum + (this.#byClass.get(entry.ret)?.lengths[at] as number), 0);
    const isBroken = this.#broken.some((index) =>
      ranges.some(([first, count]) => index >= first && index < first + count),
    );
    if (length !== entry.n && !isBroken) {
      this.#findings.add('verify/pack-length', { leaf }, `${length} bytes of bodies`, `${entry.n}`);
    }
    return { leaf, bodies: this.#packed(entry.ret, mine), whole: length === entry.n && !isBroken };
  }

  /** Positions, within their class, of the bodies in these ranges; marks them. */
  #select(ret: string, ranges: readonly LeafRange[], leaf: number): number[] {
    const bodies = this.#byClass.get(ret);
    if (bodies === undefined) return [];
    const mine: number[] = [];
    for (const [first, count] of ranges) {
      for (let at = lowerBound(bodies.indices, first); at < bodies.indices.length; at += 1) {
        const index = bodies.indices[at] as number;
        if (index >= first + count) break;
        if (bodies.isCovered[at] === true) {
          const got = `pack entry ${leaf} claims it too`;
          this.#findings.add('verify/pack-body-twice', { leaf: this.#firstLeaf + index }, 'one pack', got);
        }
        bodies.isCovered[at] = true;
        mine.push(at);
      }
    }
    return mine;
  }

  #packed(ret: string, mine: readonly number[]): Uint8Array {
    const bodies = this.#byClass.get(ret);
    const packed = Buffer.allocUnsafeSlow(mine.length * PACK_BODY_BYTES);
    let offset = 0;
    for (const at of bodies === undefined ? [] : mine) {
      packed.write(bodies?.hashes[at] as string, offset, 'hex');
      packed.writeUInt32BE(bodies?.lengths[at] as number, offset + HASH_BYTES);
      packed.writeUInt32BE(bodies?.indices[at] as number, offset + HASH_BYTES + 4);
      offset += PACK_BODY_BYTES;
    }
    return packed;
  }

  finish(): void {
    for (const [ret, bodies] of this.#byClass) {
      for (const [at, isCovered] of bodies.isCovered.entries()) {
        if (isCovered) continue;
        const leaf = this.#firstLeaf + (bodies.indices[at] as number);
        this.#findings.add('verify/pack-body-uncovered', { leaf }, `a pack of class ${ret}`, 'none');
      }
    }
  }
}

/** First position whose value is at least `least`. */
function lowerBound(ascending: readonly number[], least: number): number {
  let begin = 0;
  let end = ascending.length;
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if ((ascending[middle] as number) < least) begin = middle + 1;
    else end = middle;
  }
  return begin;
}
