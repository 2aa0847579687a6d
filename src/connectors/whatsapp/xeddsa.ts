// SPDX-License-Identifier: AGPL-3.0-or-later
import { createPublicKey, verify, type KeyObject } from 'node:crypto';

const PRIME = 2n ** 255n - 19n;
const LOW_255_BITS = 2n ** 255n - 1n;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const MOST_KEYS = 512;

/**
 * Checks XEdDSA signatures with the Ed25519 of `node:crypto`: a hundred times the speed of the client's own check in JavaScript. Keys that
 * were turned into Ed25519 keys are kept, because turning one costs as much as ten checks.
 */
export class XeddsaVerifier {
  readonly #keys = new Map<string, KeyObject>();

  /**
   * Whether the signature is by the holder of this X25519 key of 32 bytes. Says yes only where the client's check would; says no also to a
   * signature whose number is not reduced, which the client takes.
   */
  verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
    const signBit = (signature[63] ?? 0) & 0x80;
    const reduced = Buffer.from(signature);
    reduced[63] = (reduced[63] ?? 0) & 0x7f;
    return verify(null, message, this.#edwards(publicKey, signBit), reduced);
  }

  #edwards(publicKey: Uint8Array, signBit: number): KeyObject {
    const name = `${Buffer.from(publicKey).toString('hex')} ${signBit}`;
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const key = edwardsKey(publicKey, signBit);
    const [oldest] = this.#keys.keys();
    if (this.#keys.size >= MOST_KEYS && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.set(name, key);
    return key;
  }
}

/** y = (u - 1) / (u + 1): the same point on the other form of the curve. The signature says which of its two signs it has. */
function edwardsKey(publicKey: Uint8Array, signBit: number): KeyObject {
  const u = fromBytes(publicKey);
  const y = (((u + PRIME - 1n) % PRIME) * inverse((u + 1n) % PRIME)) % PRIME;
  const bytes = toBytes(y);
  bytes[31] = (bytes[31] ?? 0) | signBit;
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' });
}

/** By Fermat. What nothing is the inverse of gives 0, as it does in the client. */
function inverse(value: bigint): bigint {
  let result = 1n;
  for (let [square, rest] = [value, PRIME - 2n]; rest > 0n; [square, rest] = [(square * square) % PRIME, rest >> 1n]) {
    if (rest % 2n === 1n) result = (result * square) % PRIME;
  }
  return result;
}

function fromBytes(bytes: Uint8Array): bigint {
  return (BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & LOW_255_BITS) % PRIME;
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * KEY_BYTES, '0'), 'hex').reverse();
}
