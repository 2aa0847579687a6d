// SPDX-License-Identifier: Apache-2.0
import { HASH_BYTES, sha256, type Hash } from './hash.ts';

/** The separately salted parts of a record: how it was captured, what was understood, and the upstream bytes. */
export const PARTS = ['cap', 'view', 'raw'] as const;
export type PartName = (typeof PARTS)[number];

export const SALT_BYTES = 32;
const LENGTH_BYTES = 4;
/** What precedes a part's bytes: its label, its salt and its length. */
export const PART_HEAD_BYTES = 1 + SALT_BYTES + LENGTH_BYTES;

// First bytes of what is hashed; 0x00 and 0x01 are the tree's (RFC 6962).
const LABELS = { cap: 0x02, view: 0x03, raw: 0x04 } as const satisfies Record<PartName, number>;
const RECORD_LABEL = 0x05;

/** Writes `label || salt || u32be length || bytes` at `at`; returns where it ends. This is what a part's commitment hashes. */
export function writePart(into: Buffer, at: number, name: PartName, salt: Uint8Array, bytes: Uint8Array): number {
  into[at] = LABELS[name];
  into.set(salt, at + 1);
  into.writeUInt32BE(bytes.length, at + 1 + SALT_BYTES);
  into.set(bytes, at + PART_HEAD_BYTES);
  return at + PART_HEAD_BYTES + bytes.length;
}

/** Commits to one part; says nothing about it without the salt. */
export function commitPart(name: PartName, salt: Uint8Array, bytes: Uint8Array): Hash {
  const part = Buffer.alloc(PART_HEAD_BYTES + bytes.length);
  writePart(part, 0, name, salt, bytes);
  return sha256(part);
}

/** A record's `com`: `SHA-256(0x05 || cap || view || raw)` over the part commitments. */
export function commitRecord(commitments: Readonly<Record<PartName, Hash>>): Hash {
  const joined = Buffer.alloc(1 + PARTS.length * HASH_BYTES);
  joined[0] = RECORD_LABEL;
  for (const [index, name] of PARTS.entries()) joined.set(commitments[name], 1 + index * HASH_BYTES);
  return sha256(joined);
}

/** A part as it lies in a record's plaintext. Throws `RangeError` if label or length do not fit. */
export function readPart(from: Buffer, at: number, name: PartName): { salt: Buffer; bytes: Buffer; end: number } {
  if (from[at] !== LABELS[name]) throw new RangeError(`no ${name} part where one must be`);
  const start = at + PART_HEAD_BYTES;
  const end = start + from.readUInt32BE(at + 1 + SALT_BYTES);
  if (end > from.length) throw new RangeError(`the ${name} part ends beyond the plaintext`);
  return { salt: from.subarray(at + 1, at + 1 + SALT_BYTES), bytes: from.subarray(start, end), end };
}
