// SPDX-License-Identifier: Apache-2.0
import type { KeyId } from './key.ts';

/** More than any list of recipients needs. */
export const MAX_EPOCH_BYTES = 16_384;

/** The key ids an epoch's JWE names, in its order, or null if the text is no such JWE. */
export function recipientsOf(document: string): KeyId[] | null {
  if (document.length > MAX_EPOCH_BYTES || document.includes('\n')) return null;
  try {
    const { recipients } = JSON.parse(document) as { recipients?: { header?: { kid?: unknown; alg?: unknown } }[] };
    if (!Array.isArray(recipients) || recipients.length === 0) return null;
    const ids = recipients.map((recipient) => recipient?.header?.kid);
    return ids.every((id) => typeof id === 'string') ? (ids as KeyId[]) : null;
  } catch {
    return null;
  }
}
