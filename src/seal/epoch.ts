// SPDX-License-Identifier: AGPL-3.0-or-later
import { generalDecrypt, GeneralEncrypt, type GeneralJWE, type JWEHeaderParameters } from 'jose';
import { randomBytes, type KeyObject } from 'node:crypto';
import type { Hex256 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256 } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import { recipientKey, type Manifest } from '../record/manifest.ts';
import { Ratchet, SECRET_BYTES } from './ratchet.ts';

/** `suite` names all algorithms of an epoch: JWE ECDH-ES+A256KW on P-384 with A256GCM, the HMAC-SHA-384 ratchet, AES-256-GCM. */
export const SUITE = 'HF1-P384-A256GCM';
const KEY_MANAGEMENT = 'ECDH-ES+A256KW';
const CONTENT_ENCRYPTION = 'A256GCM';

/** An epoch's public face: what goes into the log beside the records sealed in it. */
export interface EpochDocument {
  /** SHA-256 of `text`. */
  readonly id: Hex256;
  /** JWE General JSON, one line, hashed and stored as it is. */
  readonly text: string;
}

export interface Epoch extends EpochDocument {
  readonly ratchet: Ratchet;
}

export function epochIdOf(text: string): Buffer {
  return sha256(text);
}

/**
 * Starts an epoch: fresh secret, wrapped to every recipient of the manifest and to nobody else.
 * The secret itself never leaves this function but as the ratchet's first key.
 */
export async function createEpoch(manifest: Manifest): Promise<Epoch> {
  const secret = randomBytes(SECRET_BYTES);
  const encrypt = new GeneralEncrypt(secret).setProtectedHeader({ enc: CONTENT_ENCRYPTION, typ: SUITE });
  for (const recipient of manifest.recipients) {
    encrypt.addRecipient(recipientKey(recipient)).setUnprotectedHeader({ alg: KEY_MANAGEMENT, kid: recipient.kid });
  }
  const text = JSON.stringify(await encrypt.encrypt());
  const id = epochIdOf(text);
  return { id: id.toString('hex'), text, ratchet: new Ratchet(secret, id) };
}

/** Opens an epoch with one recipient's private key. Throws `EpochError` if it is not for this key, or not an epoch. */
export async function openEpoch(text: string, privateKey: KeyObject, kid: KeyId): Promise<Ratchet> {
  const jwe = parseJwe(text);
  const own = jwe.recipients.filter((recipient) => recipient?.header?.kid === kid);
  if (own.length === 0) throw new EpochError('not-a-recipient');
  let plaintext: Uint8Array;
  let suite: unknown;
  try {
    let protectedHeader: JWEHeaderParameters | undefined;
    ({ plaintext, protectedHeader } = await generalDecrypt({ ...jwe, recipients: own }, privateKey, {
      keyManagementAlgorithms: [KEY_MANAGEMENT],
      contentEncryptionAlgorithms: [CONTENT_ENCRYPTION],
    }));
    suite = protectedHeader?.typ;
  } catch (cause) {
    throw new EpochError('does-not-open', { cause });
  }
  const secret = Buffer.from(plaintext);
  plaintext.fill(0);
  if (secret.length !== SECRET_BYTES || suite !== SUITE) throw new EpochError('does-not-open');
  return new Ratchet(secret, epochIdOf(text));
}

/** `not-a-recipient`: sealed to other keys than this one. `does-not-open`: named as ours, but altered or wrongly made. */
export class EpochError extends Error {
  override readonly name = 'EpochError';
  readonly code: 'not-a-recipient' | 'does-not-open';

  constructor(code: EpochError['code'], options?: ErrorOptions) {
    super(`epoch: ${code}`, options);
    this.code = code;
  }
}

function parseJwe(text: string): GeneralJWE {
  try {
    const jwe = JSON.parse(text) as GeneralJWE;
    if (Array.isArray(jwe.recipients)) return jwe;
  } catch {
    // Falls through to the one error for all that is no JWE.
  }
  throw new FormatError('format/not-json', 'a JWE in General JSON form', `${text.length} other characters`);
}
