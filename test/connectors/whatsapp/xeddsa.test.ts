// SPDX-License-Identifier: AGPL-3.0-or-later
import { Curve } from '@whiskeysockets/baileys';
import { SenderKeyMessage } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-message.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { XeddsaVerifier } from '../../../src/connectors/whatsapp/xeddsa.ts';

const signatures = new XeddsaVerifier();
const pairs = Array.from({ length: 6 }, () => Curve.generateKeyPair());

/** A version, and a message of a group that says nothing. */
const message = Buffer.from([0x33]);

/** The check that the client's group cipher makes. */
function clientVerifies(publicKey: Uint8Array, signature: Uint8Array): boolean {
  try {
    const signed = new SenderKeyMessage(null, null, null, null, Buffer.concat([message, signature]));
    signed.verifySignature(Buffer.concat([Buffer.from([5]), publicKey]));
    return true;
  } catch {
    return false;
  }
}

describe('signatures of sender keys', () => {
  test('are taken when they are by the key, and by no other key, of no other message', () => {
    fc.assert(
      fc.property(fc.nat(pairs.length - 1), fc.uint8Array({ maxLength: 200 }), (at, bytes) => {
        const pair = pairs[at] as (typeof pairs)[number];
        const other = pairs[(at + 1) % pairs.length] as (typeof pairs)[number];
        const signature = Curve.sign(pair.private, Buffer.from(bytes));
        expect(signatures.verifies(pair.public, bytes, signature)).toBe(true);
        expect(signatures.verifies(other.public, bytes, signature)).toBe(false);
        expect(signatures.verifies(pair.public, Buffer.from([...bytes, 0]), signature)).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  test('with any bit changed are judged as the client judges them', () => {
    fc.assert(
      fc.property(fc.nat(pairs.length - 1), fc.nat(511), (at, bit) => {
        const pair = pairs[at] as (typeof pairs)[number];
        const signature = Buffer.from(Curve.sign(pair.private, message));
        signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(signatures.verifies(pair.public, message, signature)).toBe(clientVerifies(pair.public, signature));
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    ['an empty key', Buffer.alloc(0)],
    ['zero', Buffer.alloc(32)],
    ['what has no inverse', Buffer.from('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex')],
    ['a number over the prime', Buffer.alloc(32, 0xff)],
  ])('by %s are taken only where the client takes them', (_name, key) => {
    for (const signature of [Buffer.alloc(64), Buffer.alloc(64, 0xff), Curve.sign(Buffer.alloc(32, 8), message)]) {
      const isTaken = signatures.verifies(key, message, signature);
      expect(isTaken && !clientVerifies(key, signature)).toBe(false);
    }
  });
});
