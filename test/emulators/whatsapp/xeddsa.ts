// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';

const PRIME = 2n ** 255n - 19n;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let [square, rest] = [base, exponent]; rest > 0n; [square, rest] = [(square * square) % PRIME, rest >> 1n]) {
    if (rest % 2n === 1n) result = (result * square) % PRIME;
  }
  return result;
}

function fromBytes(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & (2n ** 255n - 1n);
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}

function clamped(scalar: Buffer): Buffer {
  scalar[0] = (scalar[0] ?? 0) & 248;
  scalar[31] = ((scalar[31] ?? 0) & 127) | 64;
  return scalar;
}

/**
 * XEdDSA with a key of our own choice: an Ed25519 key of Node, its public half shown as the X25519 point that receivers turn
 * back. A hundred times faster than signing with a given X25519 key in JavaScript.
 */
export class SigningKey {
  readonly public: Buffer;
  /** For key agreement: the scalar that Ed25519 derives from its seed. */
  readonly private: Buffer;
  readonly #key = generateKeyPairSync('ed25519');
  readonly #signBit: number;

  constructor() {
    const { x = '', d = '' } = this.#key.privateKey.export({ format: 'jwk' });
    this.private = clamped(createHash('sha512').update(Buffer.from(d, 'base64url')).digest().subarray(0, 32));
    const edwards = Buffer.from(x, 'base64url');
    this.#signBit = (edwards[31] ?? 0) & 0x80;
    const y = fromBytes(edwards);
    this.public = toBytes(((1n + y) * power(PRIME + 1n - y, PRIME - 2n)) % PRIME);
  }

  sign(bytes: Uint8Array): Buffer {
    const signature = sign(null, bytes, this.#key.privateKey);
    signature[63] = (signature[63] ?? 0) | this.#signBit;
    return signature;
  }
}

/** Checks a signature by an X25519 key of 32 bytes. (`Curve.verify` of the client library says yes to everything.) */
export function verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const u = fromBytes(publicKey);
  const edwards = toBytes(((u + PRIME - 1n) * power(u + 1n, PRIME - 2n)) % PRIME);
  edwards[31] = (edwards[31] ?? 0) | ((signature[63] ?? 0) & 0x80);
  const plain = Buffer.from(signature);
  plain[63] = (plain[63] ?? 0) & 0x7f;
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: edwards.toString('base64url') }, format: 'jwk' });
  return verify(null, message, key, plain);
}
