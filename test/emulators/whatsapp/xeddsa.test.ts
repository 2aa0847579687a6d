// SPDX-License-Identifier: AGPL-3.0-or-later
import { Curve } from '@whiskeysockets/baileys';
import { expect, it } from 'vitest';
import { SigningKey, verifies } from './xeddsa.ts';

const message = Buffer.from('what is signed');

it('verifies signatures of the client library, and no others', () => {
  for (let round = 0; round < 4; round += 1) {
    const { public: publicKey, private: privateKey } = Curve.generateKeyPair();
    const signature = Curve.sign(privateKey, message);
    expect(verifies(publicKey, message, signature)).toBe(true);
    expect(verifies(publicKey, Buffer.from('something else'), signature)).toBe(false);
    expect(verifies(Curve.generateKeyPair().public, message, signature)).toBe(false);
  }
});

it('signs so that the shown X25519 key verifies', () => {
  for (let round = 0; round < 8; round += 1) {
    const key = new SigningKey();
    expect(verifies(key.public, message, key.sign(message))).toBe(true);
    expect(verifies(new SigningKey().public, message, key.sign(message))).toBe(false);
  }
});

it('agrees on a secret with the same key', () => {
  const key = new SigningKey();
  const other = Curve.generateKeyPair();
  const secret = Curve.sharedKey(other.private, key.public);
  expect(Buffer.from(Curve.sharedKey(key.private, other.public)).equals(secret)).toBe(true);
});
