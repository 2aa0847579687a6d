// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { FormatError } from './format-error.ts';
import { sha256, sha256Hex } from './hash.ts';

/** The first 128 bits of SHA-256 over the SubjectPublicKeyInfo, lower-case hex: `openssl pkey -pubin -outform DER | sha256sum`. */
export type KeyId = string;

/** An Ed25519 public key that passed the checks of {@link parseSigningKey}. */
export interface SigningKey {
  readonly id: KeyId;
  /** 32 bytes, RFC 8032 encoding. */
  readonly raw: Buffer;
  readonly key: KeyObject;
}

export const RAW_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const FIELD_PRIME = 2n ** 255n - 19n;
// y-coordinates of the points of order 1, 2, 4 and 8 (RFC 8032 curve). With such a key some signatures fit many messages.
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]);

export function keyIdOf(spki: Uint8Array): KeyId {
  return sha256(spki).subarray(0, 16).toString('hex');
}

/** Accepts a raw Ed25519 public key. Refuses (`format/key`) another length, a non-canonical encoding and points of small order. */
export function parseSigningKey(raw: Uint8Array): SigningKey {
  if (raw.length !== RAW_KEY_BYTES)
    throw new FormatError('format/key', '32 bytes of Ed25519 key', `${raw.length} bytes`);
  const y = BigInt(`0x${Buffer.from(raw).reverse().toString('hex')}`) & (2n ** 255n - 1n);
  if (y >= FIELD_PRIME) throw new FormatError('format/key', 'a canonical Ed25519 key', 'one that is not reduced');
  if (SMALL_ORDER_Y.has(y))
    throw new FormatError('format/key', 'an Ed25519 key of full order', 'a point of small order');
  const spki = Buffer.concat([SPKI_PREFIX, raw]);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return { id: keyIdOf(spki), raw: Buffer.from(raw), key };
}

export function parseSigningKeyText(base64: string): SigningKey {
  return parseSigningKey(decodeBase64('format/key', base64));
}

/** The public half of an Ed25519 private key. */
export function signingKeyOf(privateKey: KeyObject): SigningKey {
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new FormatError('format/key', 'an Ed25519 key', privateKey.asymmetricKeyType ?? privateKey.type);
  }
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return parseSigningKey(spki.subarray(SPKI_PREFIX.length));
}

/** Ed25519 over the bytes; deterministic, so recovery signs the same bytes again. */
export function signBytes(privateKey: KeyObject, bytes: Uint8Array | string): Buffer {
  return sign(null, Buffer.from(bytes), privateKey);
}

export function verifyBytes(key: SigningKey, bytes: Uint8Array | string, signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && verify(null, Buffer.from(bytes), key.key, signature);
}

/** Strict standard base64: what it decodes to must encode to the same text. */
export function decodeBase64(
  code: 'format/key' | 'format/note' | 'format/proof' | 'format/segment',
  text: string,
): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text)
    throw new FormatError(code, 'standard base64', `${text.length} other characters`);
  return bytes;
}

/** What people compare a public key by, and `openssl pkey -pubin -outform DER | sha256sum` prints: SHA-256 of its SPKI, hex. */
export function fingerprintOf({ key }: Pick<SigningKey, 'key'>): string {
  return sha256Hex(key.export({ format: 'der', type: 'spki' }));
}
