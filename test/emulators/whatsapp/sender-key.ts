// SPDX-License-Identifier: AGPL-3.0-or-later
import { createCipheriv, createHmac, generateKeyPairSync, hkdfSync, randomBytes, randomInt, sign } from 'node:crypto';
import { generateSignalPubKey, proto } from '@whiskeysockets/baileys';

const VERSION = Buffer.of(0x33);

function hmac(key: Uint8Array, seed: number): Buffer {
  return createHmac('sha256', key).update(Buffer.of(seed)).digest();
}

const PRIME = 2n ** 255n - 19n;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let [square, rest] = [base, exponent]; rest > 0n; [square, rest] = [(square * square) % PRIME, rest >> 1n]) {
    if (rest % 2n === 1n) result = (result * square) % PRIME;
  }
  return result;
}

/**
 * XEdDSA with a key of our own choice: an Ed25519 key of Node, its public half shown as the X25519 point that receivers turn
 * back. A hundred times faster than signing with a given X25519 key in JavaScript.
 */
class SigningKey {
  readonly public: Buffer;
  readonly #key = generateKeyPairSync('ed25519');
  readonly #signBit: number;

  constructor() {
    const edwards = Buffer.from(this.#key.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
    this.#signBit = (edwards[31] ?? 0) & 0x80;
    const y = BigInt(`0x${Buffer.from(edwards).reverse().toString('hex')}`) & (2n ** 255n - 1n);
    const u = ((1n + y) * power(PRIME + 1n - y, PRIME - 2n)) % PRIME;
    this.public = Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse();
  }

  sign(bytes: Uint8Array): Buffer {
    const signature = sign(null, bytes, this.#key.privateKey);
    signature[63] = (signature[63] ?? 0) | this.#signBit;
    return signature;
  }
}

/**
 * The sending half of a group's sender key, one step of the chain per message, as phones do it. (The client library's own sender
 * skips every second step, so that receivers keep keys that never come and slow down from message to message.)
 */
export class SenderKey {
  readonly #id = randomInt(1, 2 ** 31 - 1);
  readonly #signing = new SigningKey();
  #chainKey: Buffer = randomBytes(32);
  #iteration = 0;

  /** What a receiver needs for the messages from here on. */
  distribution(): Uint8Array {
    const message = proto.SenderKeyDistributionMessage.encode({
      id: this.#id,
      iteration: this.#iteration,
      chainKey: this.#chainKey,
      signingKey: generateSignalPubKey(this.#signing.public),
    }).finish();
    return Buffer.concat([VERSION, message]);
  }

  encrypt(padded: Uint8Array): Uint8Array {
    const keys = Buffer.from(hkdfSync('sha256', hmac(this.#chainKey, 1), Buffer.alloc(32), 'WhisperGroup', 48));
    const cipher = createCipheriv('aes-256-cbc', keys.subarray(16), keys.subarray(0, 16));
    const ciphertext = Buffer.concat([cipher.update(padded), cipher.final()]);
    const message = proto.SenderKeyMessage.encode({ id: this.#id, iteration: this.#iteration, ciphertext }).finish();
    this.#chainKey = hmac(this.#chainKey, 2);
    this.#iteration += 1;
    const signed = Buffer.concat([VERSION, message]);
    return Buffer.concat([signed, this.#signing.sign(signed)]);
  }
}
