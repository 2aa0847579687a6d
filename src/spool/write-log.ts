// SPDX-License-Identifier: AGPL-3.0-or-later
import { closeSync, openSync, readSync } from 'node:fs';
import { PAGE_BYTES } from './schema.ts';

// SQLite's write-ahead log: https://sqlite.org/fileformat2.html#walformat

export const LOG_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
const MAGIC_LITTLE = 0x377f0682;
const MAGIC_BIG = 0x377f0683;

/** Running checksum of the log; every frame's depends on all frames before it. */
type Sum = readonly [number, number];

/**
 * True if frames of the log's present round lie behind one that does not hold. SQLite takes the first such frame for the end: one
 * bit that rotted then takes back every commit behind it, without a word. After a power cut it may also be the remains
 * of a commit that nobody was told of.
 */
export function hasLostFrames(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    return scan(file);
  } finally {
    closeSync(file);
  }
}

function scan(file: number): boolean {
  const header = Buffer.alloc(LOG_HEADER_BYTES);
  if (readSync(file, header, 0, LOG_HEADER_BYTES, 0) < LOG_HEADER_BYTES) return false;
  const magic = header.readUInt32BE(0);
  if (magic !== MAGIC_LITTLE && magic !== MAGIC_BIG) return readSync(file, header, 0, 1, LOG_HEADER_BYTES) > 0;
  const isBig = magic === MAGIC_BIG;
  const salt = header.subarray(16, 24);
  let sum: Sum | null = add([0, 0], header.subarray(0, 24), isBig);
  if (!isSum(sum, header, 24)) sum = null;
  const frame = Buffer.alloc(FRAME_BYTES);
  for (let at = LOG_HEADER_BYTES; readSync(file, frame, 0, FRAME_BYTES, at) === FRAME_BYTES; at += FRAME_BYTES) {
    const isPresent = frame.subarray(8, 16).equals(salt);
    if (sum === null) {
      if (isPresent) return true;
      continue;
    }
    const next = add(add(sum, frame.subarray(0, 8), isBig), frame.subarray(FRAME_HEADER_BYTES), isBig);
    sum = isPresent && isSum(next, frame, 16) ? next : null;
  }
  return false;
}

function isSum([first, second]: Sum, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}

function add([first, second]: Sum, bytes: Buffer, isBig: boolean): Sum {
  let [a, b] = [first, second];
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + (isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + b) >>> 0;
    b = (b + (isBig ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + a) >>> 0;
  }
  return [a, b];
}
