// SPDX-License-Identifier: AGPL-3.0-or-later
import { createECDH, createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { keyIdOf, signingKeyOf, type SigningKey } from '../../src/record/key.ts';
import type { Recipient, RecipientRole } from '../../src/record/manifest.ts';

// Fixed keys, made from words: known to all, so that vectors are the same on every machine. Never use one for anything else.

export interface SigningPair {
  readonly seed: Buffer;
  readonly key: SigningKey;
  readonly privateKey: KeyObject;
}

export interface RecipientPair {
  readonly recipient: Recipient;
  readonly privateKey: KeyObject;
  readonly jwk: { readonly kty: string; readonly crv: string; readonly x: string; readonly y: string; readonly d: string };
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Ed25519, seed = SHA-256("holdfast test key " + word). */
export function signingPair(word: string): SigningPair {
  const seed = createHash('sha256').update(`holdfast test key ${word}`).digest();
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  return { seed, privateKey, key: signingKeyOf(privateKey) };
}

/** P-384, private scalar = SHA-384("holdfast test key " + word). */
export function recipientPair(role: RecipientRole, word: string = role): RecipientPair {
  const ecdh = createECDH('secp384r1');
  ecdh.setPrivateKey(createHash('sha384').update(`holdfast test key ${word}`).digest());
  const point = ecdh.getPublicKey();
  const [x, y] = [point.subarray(1, 49).toString('base64url'), point.subarray(49).toString('base64url')];
  const publicJwk = { kty: 'EC', crv: 'P-384', x, y };
  const jwk = { ...publicJwk, d: ecdh.getPrivateKey().toString('base64url') };
  const spki = createPublicKey({ key: publicJwk, format: 'jwk' }).export({ format: 'der', type: 'spki' });
  return {
    recipient: { role, kid: keyIdOf(spki), x, y },
    privateKey: createPrivateKey({ key: jwk, format: 'jwk' }),
    jwk,
  };
}

export const ORIGIN = 'archive.example/log';
export const STREAM = '0123456789abcdef0123456789abcdef';
export const AT = '2026-11-22T15:02:03Z';

export const ROOT = signingPair('root');
export const LOG = signingPair('log');
export const ARCHIVER = signingPair('archiver');
export const CONNECTOR = signingPair('connector');
/** What the reader signs the record of its looks with. */
export const READER_SIGNING = signingPair('reader signing');
export const READER = recipientPair('reader');
export const ESCROW = recipientPair('escrow');
/** Holds a key that nothing is sealed to. */
export const STRANGER = recipientPair('reader', 'stranger');

/** Hex digits that look random and are the same every time. */
export function hexOf(word: string, digits: 32 | 64 = 64): string {
  return createHash('sha256').update(word).digest('hex').slice(0, digits);
}
