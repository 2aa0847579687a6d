// SPDX-License-Identifier: Apache-2.0
import { HASH_BYTES } from '../record/hash.ts';

const ROW_BYTES = HASH_BYTES + 16;

/** Things that are named and not there: 48 bytes each, because an old archive has as many as it has disposed of. */
export class MissingList {
  #rows = Buffer.alloc(64 * ROW_BYTES);
  #count = 0;

  add(kind: 'pack' | 'object', hash: string, leaf: number): void {
    const offset = this.#count * ROW_BYTES;
    if (offset === this.#rows.length) this.#rows = Buffer.concat([this.#rows, Buffer.alloc(this.#rows.length)]);
    this.#rows.write(hash, offset, 'hex');
    this.#rows.writeDoubleBE(leaf, offset + HASH_BYTES);
    this.#rows.writeUInt8(kind === 'pack' ? 0 : 1, offset + HASH_BYTES + 8);
    this.#count += 1;
  }

  *all(): Generator<{ readonly kind: 'pack' | 'object'; readonly hash: string; readonly leaf: number }> {
    for (let offset = 0; offset < this.#count * ROW_BYTES; offset += ROW_BYTES) {
      yield {
        kind: this.#rows.readUInt8(offset + HASH_BYTES + 8) === 0 ? 'pack' : 'object',
        hash: this.#rows.toString('hex', offset, offset + HASH_BYTES),
        leaf: this.#rows.readDoubleBE(offset + HASH_BYTES),
      };
    }
  }
}
