// SPDX-License-Identifier: AGPL-3.0-or-later
import { createPublicKey } from 'node:crypto';
import { need, type Config } from '../base/config.ts';
import { readRecipientKey } from '../base/secrets.ts';
import { keyIdOf } from '../record/key.ts';
import type { ReaderKeys } from '../search/open-records.ts';
import { Opener, type RecipientKey } from '../seal/open.ts';

/** The reader's key, and those it had before it was exchanged: what was sealed to them stays sealed to them. */
export function readReaderKeys(config: Config, role: string): ReaderKeys {
  const { key, earlierKeys } = need(config.reader, 'reader', role);
  return { ...recipientKey(key), earlier: earlierKeys.map(recipientKey) };
}

/** Files of the reader's key and of those it had before. */
export type KeyFiles = Pick<NonNullable<Config['reader']>, 'key' | 'earlierKeys'>;

/** Opens records with all of them. */
export function openerOf({ key: file, earlierKeys }: KeyFiles): Opener {
  const { key, kid } = recipientKey(file);
  return new Opener(key, kid, earlierKeys.map(recipientKey));
}

function recipientKey(path: string): RecipientKey {
  const key = readRecipientKey(path);
  return { key, kid: keyIdOf(createPublicKey(key).export({ format: 'der', type: 'spki' })) };
}
