// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import { FormatError } from './format-error.ts';
import { HASH_BYTES, type Hash } from './hash.ts';
import { parseNote, signNote, verifyNote, type NoteKey, type SignedNote } from './note.ts';

// C2SP tlog-checkpoint v1.0: https://c2sp.org/tlog-checkpoint

/** What a log commits to: its first `size` leaves have this root. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
}

export function encodeCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** Parses the text of a note. Extension lines are allowed and ignored. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, root, ...rest] = text.split('\n');
  if (origin === undefined || size === undefined || root === undefined || rest.at(-1) !== '' || origin === '') {
    throw new FormatError('format/checkpoint', 'origin, size and root lines', `${text.split('\n').length} lines`);
  }
  if (rest.slice(0, -1).includes('')) {
    throw new FormatError('format/checkpoint', 'extension lines with content', 'an empty one');
  }
  if (!/^(?:0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) {
    throw new FormatError('format/checkpoint', 'a tree size', `${size.length} other characters`);
  }
  const hash = Buffer.from(root, 'base64');
  if (hash.toString('base64') !== root) throw new FormatError('format/checkpoint', 'a base64 root', 'other characters');
  return { origin, size: Number(size), root: hash };
}

/** Deterministic: the same checkpoint and key give the same bytes, so recovery can publish it again. */
export function signCheckpoint(checkpoint: Checkpoint, privateKey: KeyObject): string {
  return signNote(encodeCheckpoint(checkpoint), checkpoint.origin, privateKey);
}

/** Opens a signed checkpoint of the log `key` belongs to. Throws `format/note`, `format/note-signature` or `format/checkpoint`. */
export function openCheckpoint(note: Uint8Array | string, key: NoteKey): Checkpoint {
  return openCheckpointOf(parseNote(note), [key]).checkpoint;
}

/** The same for a note that was parsed, of one of several logs. */
export function openCheckpointOf(
  note: SignedNote,
  logs: readonly NoteKey[],
): { readonly checkpoint: Checkpoint; readonly log: NoteKey } {
  const signers = verifyNote(note, logs);
  const checkpoint = parseCheckpoint(note.text);
  const log = signers.find(({ name }) => name === checkpoint.origin);
  if (log === undefined) throw new FormatError('format/checkpoint', 'the origin of its key', 'another origin');
  if (checkpoint.root.length !== HASH_BYTES) {
    throw new FormatError('format/checkpoint', 'a 32-byte root', `${checkpoint.root.length} bytes`);
  }
  return { checkpoint, log };
}
