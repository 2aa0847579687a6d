// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { parseSigningKeyText, type SigningKey } from './key.ts';
import { parseVerifierKey, type NoteKey } from './note.ts';
import { isOrigin } from './origin.ts';

/** What a verifier starts from: reached by a way of its own, never from the archive. */
export interface Trust {
  readonly origin: string;
  readonly root: SigningKey;
  /** The log's checkpoint key; its name is the origin. */
  readonly log: NoteKey;
  /** The log that this one goes on from, which its beginning must name; absent for a first one. */
  readonly before?: NoteKey;
  /** Number of this log in its line; absent for a first one. */
  readonly number?: number;
  /** How many leaves of the log before count, where the root alone says so: its key was lost or stolen. */
  readonly end?: number;
}

/** The content of `trust.json`. */
export interface TrustFile {
  readonly v: 1;
  readonly origin: string;
  /** Raw Ed25519 public key of the root, base64. */
  readonly root: string;
  /** C2SP verifier key of the log. */
  readonly log: string;
  /** C2SP verifier key of the log before; absent for a first one. */
  readonly before?: string;
  /** Number of this log in its line, with `before`. */
  readonly number?: number;
  /** Leaves of the log before that count, with `before`; absent where that log said itself where it ends. */
  readonly end?: number;
}

/** Throws `format/trust`, `format/key` or `format/note-key`. */
export function parseTrust(text: string): Trust {
  let file: Partial<TrustFile>;
  try {
    file = JSON.parse(text) as Partial<TrustFile>;
  } catch {
    throw new FormatError('format/trust', 'a JSON trust file', 'other text');
  }
  const { v, origin, root, log, before, number, end } = file ?? {};
  if (v !== 1 || !isOrigin(origin) || typeof root !== 'string' || typeof log !== 'string') {
    throw new FormatError('format/trust', 'v, origin, root and log', 'another object');
  }
  const logKey = parseVerifierKey(log);
  if (logKey.name !== origin) throw new FormatError('format/trust', 'a log key named after the origin', 'another name');
  const isLater =
    typeof before === 'string' && typeof number === 'number' && Number.isSafeInteger(number) && number > 0;
  if (!isLater && (before !== undefined || number !== undefined))
    throw new FormatError('format/trust', 'the log before and the number of this one, or neither', 'other values');
  const isEnd = end === undefined || (isLater && Number.isSafeInteger(end) && end > 0);
  if (!isEnd) throw new FormatError('format/trust', 'the leaves of the log before, or no end', 'another value');
  return {
    origin,
    root: parseSigningKeyText(root),
    log: logKey,
    ...(isLater ? { before: parseVerifierKey(before), number, ...(end === undefined ? {} : { end }) } : {}),
  };
}
