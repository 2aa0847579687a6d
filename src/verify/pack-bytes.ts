// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { HASH_BYTES, sha256Hex } from '../record/hash.ts';
import { PACK_BODY_BYTES } from './summary.ts';

/** What is wrong with a pack: the whole of it, or bodies in it. */
export interface PackVerdict {
  readonly hash: string;
  /** Index in its segment of the first record whose body is another, and how many there are. */
  readonly wrongBodies: { readonly index: number; readonly count: number } | null;
}

/** The bodies a pack must hold, as {@link PackBodies} packs them; the next one at a time. */
class ExpectedBodies {
  readonly #bodies: Buffer;
  #offset = 0;
  #first = -1;
  #count = 0;

  constructor(bodies: Buffer) {
    this.#bodies = bodies;
  }

  /** Length of the next body; null behind the last. */
  get next(): number | null {
    return this.#offset < this.#bodies.length ? this.#bodies.readUInt32BE(this.#offset + HASH_BYTES) : null;
  }

  judge(found: string): void {
    const expected = this.#bodies.toString('hex', this.#offset, this.#offset + HASH_BYTES);
    if (found !== expected) {
      if (this.#count === 0) this.#first = this.#bodies.readUInt32BE(this.#offset + HASH_BYTES + 4);
      this.#count += 1;
    }
    this.#offset += PACK_BODY_BYTES;
  }

  verdict(hash: string): PackVerdict {
    return { hash, wrongBodies: this.#count === 0 ? null : { index: this.#first, count: this.#count } };
  }
}

/** Holds a pack's bytes against its name and its bodies. A pack of another hash is not looked into. */
export function judgePack(bytes: Buffer, name: string, bodies: Buffer): PackVerdict {
  const hash = sha256Hex(bytes);
  const expected = new ExpectedBodies(bodies);
  if (hash !== name) return expected.verdict(hash);
  let at = 0;
  for (let length = expected.next; length !== null; length = expected.next) {
    expected.judge(sha256Hex(bytes.subarray(at, at + length)));
    at += length;
  }
  return expected.verdict(hash);
}

/** The same for a pack too large to hold. */
export async function judgePackStream(chunks: AsyncIterable<Uint8Array>, bodies: Buffer): Promise<PackVerdict> {
  const expected = new ExpectedBodies(bodies);
  const whole = createHash('sha256');
  let body = createHash('sha256');
  let missing = expected.next;
  const judgeBody = (): void => {
    expected.judge(body.digest('hex'));
    body = createHash('sha256');
    missing = expected.next;
  };
  for await (const chunk of chunks) {
    whole.update(chunk);
    for (let at = 0; missing !== null && at < chunk.length;) {
      const piece = chunk.subarray(at, at + missing);
      body.update(piece);
      at += piece.length;
      missing -= piece.length;
      if (missing === 0) judgeBody();
    }
  }
  while (missing === 0) judgeBody();
  return expected.verdict(whole.digest('hex'));
}
