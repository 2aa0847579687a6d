// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import { parseSigningKey, type SigningKey } from '../record/key.ts';
import type { Recipient, RecipientRole, Signer } from '../record/manifest.ts';
import { fingerprintOf } from './keygen.ts';

// Public keys, as a manifest has them.

const ED25519_SPKI_HEADER_BYTES = 12;

/** Throws `config/key-unusable`, or `format/key`. */
export function signingPublic(key: KeyObject, where: string): SigningKey {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Failure('config/key-unusable', {
      expected: 'an Ed25519 public key',
      got: key.asymmetricKeyType ?? key.type,
      where,
    });
  }
  return parseSigningKey(key.export({ format: 'der', type: 'spki' }).subarray(ED25519_SPKI_HEADER_BYTES));
}

export function recipientOf(role: RecipientRole, key: KeyObject, where: string): Recipient {
  const { crv, x, y } = key.export({ format: 'jwk' });
  if (crv !== 'P-384' || x === undefined || y === undefined) {
    throw new Failure('config/key-unusable', {
      expected: 'a P-384 public key',
      got: crv ?? key.asymmetricKeyType ?? key.type,
      where,
    });
  }
  return { role, kid: fingerprintOf(key), x, y };
}

export function signerOf(role: Signer['role'], name: string, key: KeyObject): Signer {
  return { role, name, pub: signingPublic(key, `${role} ${name}`).raw.toString('base64') };
}
