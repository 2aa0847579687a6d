// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHmac } from 'node:crypto';
import { withRawKey } from './raw-key.ts';

const RECORD_KEY_BYTES = 32;
const RECORD_KEY = Buffer.of(0x01);
const NEXT_CHAIN = Buffer.of(0x02);

function step(chain: Buffer, label: Buffer, epoch: Buffer): Buffer {
  return withRawKey(() => createHmac('sha384', chain))
    .update(label)
    .update(epoch)
    .digest();
}

/** Bytes that the collector never moves, so that filling them with zeros leaves no copy behind. */
function pinned(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(new ArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/**
 * The keys of one epoch, one after the other (SP 800-108 in the form of an HMAC-SHA-384 chain).
 * A chain key is overwritten once its record key is out: who reads this process's memory later opens nothing sealed before.
 * Keys are bytes and not `KeyObject`s for that reason: a `KeyObject` keeps its bytes until the collector comes.
 */
export class Ratchet {
  readonly #epoch: Buffer;
  readonly #chain: Buffer;
  #index = 0;

  /** Takes over `secret` and fills it with zeros. `epoch` is the 32-byte epoch id. */
  constructor(secret: Buffer, epoch: Buffer) {
    this.#epoch = epoch;
    this.#chain = pinned(secret);
    secret.fill(0);
  }

  /** Number of the next record key. */
  get index(): number {
    return this.#index;
  }

  /** The next record key, which is the caller's to fill with zeros. */
  next(): Buffer {
    const material = step(this.#chain, RECORD_KEY, this.#epoch);
    const key = pinned(material.subarray(0, RECORD_KEY_BYTES));
    material.fill(0);
    this.#advance();
    return key;
  }

  /** Moves on without taking keys. A reader that goes forward only pays for each step once. */
  skipTo(index: number): void {
    while (this.#index < index) this.#advance();
  }

  #advance(): void {
    const next = step(this.#chain, NEXT_CHAIN, this.#epoch);
    this.#chain.set(next);
    next.fill(0);
    this.#index += 1;
  }
}
