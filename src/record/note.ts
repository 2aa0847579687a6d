// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import { FormatError } from './format-error.ts';
import { sha256 } from './hash.ts';
import {
  decodeBase64,
  parseSigningKey,
  RAW_KEY_BYTES,
  signBytes,
  SIGNATURE_BYTES,
  signingKeyOf,
  verifyBytes,
  type SigningKey,
} from './key.ts';

// C2SP signed-note v1.0: https://c2sp.org/signed-note

const ED25519 = 0x01;
const MAX_SIGNATURES = 100;
const MAX_NOTE_BYTES = 1_000_000;
const SIGNATURE_MARK = '— ';

/** A key that signs notes, with the name it signs under. */
export interface NoteKey {
  readonly name: string;
  /** The 32-bit key id of the note format. */
  readonly hash: Buffer;
  readonly key: SigningKey;
}

/** The same key under the same name. */
export function isSameKey(a: NoteKey, b: NoteKey): boolean {
  return a.name === b.name && a.key.id === b.key.id;
}

export interface NoteSignature {
  readonly name: string;
  readonly hash: Buffer;
  readonly signature: Buffer;
}

export interface SignedNote {
  /** The signed text, with its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

function assertName(name: string, code: 'format/note' | 'format/note-key'): void {
  if (name === '' || /[\s+\p{Z}\p{Cc}]/u.test(name) || !name.isWellFormed()) {
    throw new FormatError(code, 'a name without spaces and plus signs', `${name.length} characters`);
  }
}

export function noteKey(name: string, key: SigningKey): NoteKey {
  return noteKeyOfType(ED25519, name, key);
}

/** `type`: the signature type of the note format, which the key's hash covers. */
export function noteKeyOfType(type: number, name: string, key: SigningKey): NoteKey {
  assertName(name, 'format/note-key');
  const hash = sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), key.raw])).subarray(0, 4);
  return { name, hash, key };
}

export function encodeVerifierKey(key: NoteKey): string {
  return encodeNoteKey(ED25519, key);
}

/** `<name>+<hash>+<base64(type || key)>` */
export function encodeNoteKey(type: number, { name, hash, key }: NoteKey): string {
  return `${name}+${hash.toString('hex')}+${Buffer.concat([Buffer.of(type), key.raw]).toString('base64')}`;
}

export function parseVerifierKey(text: string): NoteKey {
  return parseNoteKey(ED25519, text);
}

/** Throws `format/note-key` for a key of another type, and `format/key`. */
export function parseNoteKey(type: number, text: string): NoteKey {
  const [name, hash, body, ...rest] = splitPlus(text);
  if (name === undefined || hash === undefined || body === undefined || rest.length > 0) {
    throw new FormatError('format/note-key', 'name+hash+key', `${text.length} other characters`);
  }
  const bytes = decodeBase64('format/key', body);
  if (bytes[0] !== type || bytes.length !== 1 + RAW_KEY_BYTES) {
    throw new FormatError(
      'format/note-key',
      `an Ed25519 key of type ${type}`,
      `type ${bytes[0] ?? 'none'}, ${bytes.length} bytes`,
    );
  }
  const key = noteKeyOfType(type, name, parseSigningKey(bytes.subarray(1)));
  if (key.hash.toString('hex') !== hash) {
    throw new FormatError('format/note-key', `key hash ${key.hash.toString('hex')}`, 'another one');
  }
  return key;
}

// The base64 part may hold plus signs of its own.
function splitPlus(text: string): string[] {
  const first = text.indexOf('+');
  const second = first < 0 ? -1 : text.indexOf('+', first + 1);
  return second < 0 ? [text] : [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeNote(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new FormatError('format/note', 'UTF-8 text', 'other bytes');
  }
}

/** Parses the form of a note. Throws `format/note`; says nothing about who signed it. */
export function parseNote(source: Uint8Array | string): SignedNote {
  const note = typeof source === 'string' ? source : decodeNote(source);
  if (note.length > MAX_NOTE_BYTES || !note.isWellFormed() || /[^\n\P{Cc}]/u.test(note)) {
    throw new FormatError('format/note', 'UTF-8 text without control characters', `${note.length} characters`);
  }
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw new FormatError('format/note', 'a text, an empty line and signatures', 'no empty line');
  const block = note.slice(split + 2);
  if (block === '' || !block.endsWith('\n')) throw new FormatError('format/note', 'signature lines', 'none');
  const lines = block.slice(0, -1).split('\n');
  if (lines.length > MAX_SIGNATURES)
    throw new FormatError('format/note', 'at most 100 signatures', String(lines.length));
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

function parseSignatureLine(line: string): NoteSignature {
  const [name, body, ...rest] = line.startsWith(SIGNATURE_MARK) ? line.slice(SIGNATURE_MARK.length).split(' ') : [];
  if (name === undefined || body === undefined || rest.length > 0 || name === '') {
    throw new FormatError('format/note', '`— name base64`', 'another line');
  }
  assertName(name, 'format/note');
  const bytes = decodeBase64('format/note', body);
  if (bytes.length < 5) throw new FormatError('format/note', 'a key hash and a signature', `${bytes.length} bytes`);
  return { name, hash: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/**
 * The keys among `trusted` that signed the note. Unknown signers are ignored, as the specification demands.
 * Throws `format/note-signature` if a signature by a trusted key does not verify, or if there is none.
 */
export function verifyNote(note: SignedNote, trusted: readonly NoteKey[]): NoteKey[] {
  const signers = new Set<NoteKey>();
  for (const line of note.signatures) {
    const key = trusted.find(({ name, hash }) => name === line.name && hash.equals(line.hash));
    if (key === undefined || signers.has(key)) continue;
    if (line.signature.length !== SIGNATURE_BYTES || !verifyBytes(key.key, note.text, line.signature)) {
      throw new FormatError('format/note-signature', `a signature by ${key.key.id}`, 'one that does not verify');
    }
    signers.add(key);
  }
  if (signers.size === 0) throw new FormatError('format/note-signature', 'a signature by a trusted key', 'none');
  return [...signers];
}

/** Signs a text that ends with a newline. */
export function signNote(text: string, name: string, privateKey: KeyObject): string {
  if (!text.endsWith('\n')) throw new FormatError('format/note', 'a text with a final newline', 'none');
  return `${text}\n${signatureLine(noteKey(name, signingKeyOf(privateKey)), signBytes(privateKey, text))}`;
}

/** A signature's line, with its line end. */
export function signatureLine({ name, hash }: Pick<NoteKey, 'name' | 'hash'>, signature: Uint8Array): string {
  return `${SIGNATURE_MARK}${name} ${Buffer.concat([hash, signature]).toString('base64')}\n`;
}
