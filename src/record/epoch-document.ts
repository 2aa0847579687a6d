// SPDX-License-Identifier: Apache-2.0
import type { KeyId } from './key.ts';

/** More than any list of recipients needs. */
export const MAX_EPOCH_BYTES = 16_384;

const BASE64URL = /^[A-Za-z0-9_-]+$/;
const COORDINATE = /^[A-Za-z0-9_-]{64}$/;
const KEY_ID = /^[0-9a-f]{32}$/;

type Members = Readonly<Record<string, unknown>>;

/**
 * The key ids an epoch's JWE names, in its order, or null if the text is no such JWE. It has the members that every one has and no
 * others, each once, without white space: a member that some JOSE library knows and this one does not could name somebody else.
 */
export function recipientsOf(document: string): KeyId[] | null {
  if (document.length > MAX_EPOCH_BYTES || document.includes('\n')) return null;
  const jwe = parsed(document);
  if (!hasMembers(jwe, ['ciphertext', 'iv', 'protected', 'recipients', 'tag'])) return null;
  const { recipients, ...texts } = jwe;
  if (!Object.values(texts).every((value) => matches(BASE64URL, value))) return null;
  if (!Array.isArray(recipients) || recipients.length === 0) return null;
  const ids = recipients.map(recipientOf);
  return ids.includes(null) ? null : (ids as KeyId[]);
}

/** Null for anything that is not written as it is read: a member twice, white space, another spelling. */
function parsed(document: string): unknown {
  try {
    const value: unknown = JSON.parse(document);
    return JSON.stringify(value) === document ? value : null;
  } catch {
    return null;
  }
}

function recipientOf(recipient: unknown): KeyId | null {
  if (!hasMembers(recipient, ['encrypted_key', 'header']) || !matches(BASE64URL, recipient['encrypted_key']))
    return null;
  const { header } = recipient;
  if (!hasMembers(header, ['alg', 'epk', 'kid']) || header['alg'] !== 'ECDH-ES+A256KW') return null;
  const { epk, kid } = header;
  const isKey = hasMembers(epk, ['crv', 'kty', 'x', 'y']) && epk['crv'] === 'P-384' && epk['kty'] === 'EC';
  if (!isKey || !matches(COORDINATE, epk['x']) || !matches(COORDINATE, epk['y'])) return null;
  return matches(KEY_ID, kid) ? kid : null;
}

function hasMembers(value: unknown, names: readonly string[]): value is Members {
  return (
    typeof value === 'object' && value !== null && Object.keys(value).toSorted().join() === names.toSorted().join()
  );
}

function matches(pattern: RegExp, value: unknown): value is string {
  return typeof value === 'string' && pattern.test(value);
}
