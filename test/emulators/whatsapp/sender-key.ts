// SPDX-License-Identifier: AGPL-3.0-or-later
import { createCipheriv, createHmac, hkdfSync, randomBytes, randomInt } from 'node:crypto';
import { generateSignalPubKey, proto } from '@whiskeysockets/baileys';
import { SigningKey } from './xeddsa.ts';

const VERSION = Buffer.of(0x33);

function hmac(key: Uint8Array, seed: number): Buffer {
  return createHmac('sha256', key).update(Buffer.of(seed)).digest();
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
