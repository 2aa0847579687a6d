// SPDX-License-Identifier: AGPL-3.0-or-later
import { OBJECT_KEY_BYTES } from './object.ts';
import { paddedLength } from './plaintext.ts';

// A record too long for a body: its padded plaintext is an object, and the body holds `0 (u32be) || object key || u32be length`.
// A real compressed length is never 0.

const LENGTH_BYTES = 4;
const KEY_AT = LENGTH_BYTES;
const SIZE_AT = KEY_AT + OBJECT_KEY_BYTES;

export interface ObjectStub {
  readonly key: Buffer;
  /** Length of the object's plaintext before it was padded once more as an object. */
  readonly size: number;
}

export function stubFor(object: { key: string; plainSize: number }): ObjectStub {
  return { key: Buffer.from(object.key, 'hex'), size: object.plainSize };
}

export function newObjectStub({ key, size }: ObjectStub): Buffer {
  const stub = Buffer.alloc(paddedLength(SIZE_AT + LENGTH_BYTES));
  stub.set(key, KEY_AT);
  stub.writeUInt32BE(size, SIZE_AT);
  return stub;
}

/** The stub in a body's plaintext, or null if the plaintext is the record itself. */
export function readObjectStub(padded: Buffer): ObjectStub | null {
  if (padded.length < SIZE_AT + LENGTH_BYTES || padded.readUInt32BE(0) !== 0) return null;
  return { key: Buffer.from(padded.subarray(KEY_AT, SIZE_AT)), size: padded.readUInt32BE(SIZE_AT) };
}
