// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';

/** SHA-256, 32 bytes. */
export type Hash = Buffer;

export const HASH_BYTES = 32;

export function sha256(bytes: Uint8Array | string): Hash {
  // As text and back: a `Buffer` made by `hash` has memory of its own, which costs more than the hash.
  return Buffer.from(hash('sha256', bytes, 'binary'), 'latin1');
}

export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;
// Entries are at most 4 KiB; larger input takes the allocating path.
const leafScratch = Buffer.alloc(8192);
const nodeScratch = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);
leafScratch[0] = LEAF_PREFIX;

/** RFC 6962 leaf hash, `SHA-256(0x00 || bytes)`: record id, the next record's `prev` and leaf of the log, all in one. */
export function leafHash(bytes: Uint8Array): Hash {
  return sha256(leafInput(bytes));
}

/** {@link leafHash} as ids are written. */
export function leafHashHex(bytes: Uint8Array): string {
  return sha256Hex(leafInput(bytes));
}

function leafInput(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= leafScratch.length) return Buffer.concat([Buffer.of(LEAF_PREFIX), bytes]);
  leafScratch.set(bytes, 1);
  return leafScratch.subarray(0, bytes.length + 1);
}

/** RFC 6962 node hash, `SHA-256(0x01 || left || right)`. */
export function nodeHash(left: Hash, right: Hash): Hash {
  nodeScratch.set(left, 1);
  nodeScratch.set(right, 1 + HASH_BYTES);
  return sha256(nodeScratch);
}

/** Root of the tree without leaves. */
export const EMPTY_ROOT: Hash = sha256('');
