// SPDX-License-Identifier: AGPL-3.0-or-later
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import {
  commitRecord,
  PART_HEAD_BYTES,
  PARTS,
  readPart,
  SALT_BYTES,
  writePart,
  type PartName,
} from '../record/commitment.ts';
import { sha256, type Hash } from '../record/hash.ts';

/** The parts of a record before sealing. */
export type Parts = Readonly<Record<PartName, Uint8Array>>;

export interface OpenedParts {
  readonly parts: Readonly<Record<PartName, Buffer>>;
  readonly salts: Readonly<Record<PartName, Buffer>>;
  /** The commitment to exactly these parts. */
  readonly commitment: Hash;
}

const LENGTH_BYTES = 4;
const FLOOR_BYTES = 256;
/** Above what zstd adds to bytes that do not shrink. */
const CHUNK_MARGIN_BYTES = 1024;
/** Most records inflate to less; the default would take 16 KiB for each. */
const INFLATED_CHUNK_BYTES = 2048;
const ZSTD_LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** The salted parts one behind the other, and the commitment to them. The caller fills the buffer with zeros when it is done. */
export function joinParts(parts: Parts, salts: Buffer): { joined: Buffer; commitment: Hash } {
  const joined = Buffer.allocUnsafe(PARTS.reduce((sum, name) => sum + PART_HEAD_BYTES + parts[name].length, 0));
  let at = 0;
  const commit = (name: PartName, salt: Buffer): Hash => {
    const start = at;
    at = writePart(joined, at, name, salt, parts[name]);
    return sha256(joined.subarray(start, at));
  };
  const cap = commit('cap', salts.subarray(0, SALT_BYTES));
  const view = commit('view', salts.subarray(SALT_BYTES, 2 * SALT_BYTES));
  const raw = commit('raw', salts.subarray(2 * SALT_BYTES, 3 * SALT_BYTES));
  return { joined, commitment: commitRecord({ cap, view, raw }) };
}

/** Throws `RangeError` if labels, lengths and bytes do not agree. */
export function splitParts(joined: Buffer): OpenedParts {
  const cap = readPart(joined, 0, 'cap');
  const view = readPart(joined, cap.end, 'view');
  const raw = readPart(joined, view.end, 'raw');
  if (raw.end !== joined.length) throw new RangeError('bytes behind the last part');
  // A part lies here as its commitment hashes it: label, salt, length, bytes.
  const commitment = commitRecord({
    cap: sha256(joined.subarray(0, cap.end)),
    view: sha256(joined.subarray(cap.end, view.end)),
    raw: sha256(joined.subarray(view.end, raw.end)),
  });
  return {
    commitment,
    parts: { cap: cap.bytes, view: view.bytes, raw: raw.bytes },
    salts: { cap: cap.salt, view: view.salt, raw: raw.salt },
  };
}

/** Padmé with a floor: a length tells at most O(log log n) bits about what it hides. */
export function paddedLength(length: number): number {
  if (length <= FLOOR_BYTES) return FLOOR_BYTES;
  const exponent = Math.floor(Math.log2(length));
  const step = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1);
  return Math.ceil(length / step) * step;
}

/** `u32be length || zstd || zeros`, the length of the whole padded. */
export function compressAndPad(joined: Buffer): Buffer {
  // One piece of output, so that there is one to fill with zeros: pieces that are put together would stay behind.
  const compressed = zstdCompressSync(joined, {
    ...ZSTD_LEVEL,
    chunkSize: joined.length + (joined.length >> 7) + CHUNK_MARGIN_BYTES,
  });
  const padded = Buffer.alloc(paddedLength(LENGTH_BYTES + compressed.length));
  padded.writeUInt32BE(compressed.length, 0);
  padded.set(compressed, LENGTH_BYTES);
  compressed.fill(0);
  return padded;
}

/** Inverse of {@link compressAndPad}; refuses to inflate beyond `maxBytes`. */
export function unpadAndInflate(padded: Buffer, maxBytes: number): Buffer {
  const length = padded.readUInt32BE(0);
  if (LENGTH_BYTES + length > padded.length) throw new RangeError('a compressed length beyond the body');
  const compressed = padded.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
  return zstdDecompressSync(compressed, { maxOutputLength: maxBytes, chunkSize: INFLATED_CHUNK_BYTES });
}
