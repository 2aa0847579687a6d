// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, verify, type KeyObject } from 'node:crypto';
import { Refusal } from './refusal.ts';

const HASHES: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** Signature algorithms with the hash that they fix; null where the digest algorithm beside them says it. */
const SIGNATURES: Readonly<Record<string, { readonly key: 'rsa' | 'ec'; readonly hash: string | null }>> = {
  '1.2.840.113549.1.1.1': { key: 'rsa', hash: null },
  '1.2.840.113549.1.1.11': { key: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { key: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', hash: 'sha512' },
};

/** SHA-2 only: what was stamped must hold for decades. */
export function hashNamed(oid: string, what: string): string {
  const hash = HASHES[oid];
  if (hash === undefined) throw new Refusal('form', `SHA-256, -384 or -512 for ${what}`, 'another algorithm');
  return hash;
}

export function digest(hash: string, bytes: Uint8Array): Buffer {
  return createHash(hash).update(bytes).digest();
}

/** Whether `signature` is by `key` over `bytes`. `digestOid` counts where the signature algorithm does not say the hash itself. */
export function isSignedBy(
  key: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
  algorithm: { readonly oid: string; readonly digestOid: string | null },
): boolean {
  const known = SIGNATURES[algorithm.oid];
  const hash = known?.hash ?? (algorithm.digestOid === null ? undefined : HASHES[algorithm.digestOid]);
  if (known === undefined || hash === undefined || key.asymmetricKeyType !== known.key) return false;
  return verify(hash, bytes, key, signature);
}
