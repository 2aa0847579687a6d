// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import { FormatError } from './format-error.ts';
import { signBytes, signingKeyOf, SIGNATURE_BYTES, verifyBytes, type SigningKey } from './key.ts';
import { encodeNoteKey, noteKeyOfType, parseNoteKey, signatureLine, type NoteKey, type SignedNote } from './note.ts';

// C2SP tlog-cosignature v1, Ed25519: https://c2sp.org/tlog-cosignature

const COSIGNATURE_V1 = 0x04;
const TIMESTAMP_BYTES = 8;

/** A witness's word: at this time, this was the largest consistent tree of the log that it had seen. */
export interface Cosignature {
  readonly cosigner: NoteKey;
  /** Seconds since 1970, by the witness's clock. */
  readonly seconds: number;
}

/** A witness's key: like a note's key, but of the type that signs a time along. */
export function cosignerKey(name: string, key: SigningKey): NoteKey {
  return noteKeyOfType(COSIGNATURE_V1, name, key);
}

export function encodeCosignerKey(key: NoteKey): string {
  return encodeNoteKey(COSIGNATURE_V1, key);
}

/** Throws `format/note-key` or `format/key`. */
export function parseCosignerKey(vkey: string): NoteKey {
  return parseNoteKey(COSIGNATURE_V1, vkey);
}

function signedMessage(text: string, seconds: number): string {
  return `cosignature/v1\ntime ${seconds}\n${text}`;
}

/** The signature line of a witness under a checkpoint's text, with its line end. `seconds` is above 0. */
export function cosign(text: string, name: string, privateKey: KeyObject, seconds: number): string {
  return cosignAs(cosignerKey(name, signingKeyOf(privateKey)), text, privateKey, seconds);
}

/** The same for who signs often: the public half of the key is made once. */
export function cosignAs(key: NoteKey, text: string, privateKey: KeyObject, seconds: number): string {
  const timestamp = Buffer.alloc(TIMESTAMP_BYTES);
  timestamp.writeBigUInt64BE(BigInt(seconds));
  const signature = signBytes(privateKey, signedMessage(text, seconds));
  return signatureLine(key, Buffer.concat([timestamp, signature]));
}

/**
 * Who of `cosigners` cosigned the note, and when by their clocks. Unknown signers are ignored, as the specification demands. Throws
 * `format/note-signature` if a line by one of them does not verify.
 */
export function verifyCosignatures(note: SignedNote, cosigners: readonly NoteKey[]): Cosignature[] {
  const found = new Map<NoteKey, Cosignature>();
  for (const { name, hash, signature } of note.signatures) {
    const cosigner = cosigners.find((key) => key.name === name && key.hash.equals(hash));
    if (cosigner === undefined || found.has(cosigner)) continue;
    found.set(cosigner, { cosigner, seconds: timeOf(cosigner, note.text, signature) });
  }
  return [...found.values()];
}

function timeOf({ key }: NoteKey, text: string, signature: Buffer): number {
  const seconds = signature.length === TIMESTAMP_BYTES + SIGNATURE_BYTES ? Number(signature.readBigUInt64BE()) : 0;
  if (seconds > 0 && Number.isSafeInteger(seconds)) {
    if (verifyBytes(key, signedMessage(text, seconds), signature.subarray(TIMESTAMP_BYTES))) return seconds;
  }
  throw new FormatError('format/note-signature', `a cosignature by ${key.id}`, 'one that does not verify');
}
