// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';

// Where things lie in the bucket or directory. Keys tell nothing but hashes and leaf numbers.

const LEAF_DIGITS = 16;

export function logPrefix(origin: string): string {
  return `log/${origin}/`;
}

export function segmentPrefix(origin: string): string {
  return `${logPrefix(origin)}segment/`;
}

export function packPrefix(origin: string): string {
  return `${logPrefix(origin)}pack/`;
}

export function headsPrefix(origin: string): string {
  return `${logPrefix(origin)}heads/`;
}

/** A leaf or a size, so that names sort as numbers do. */
export function fixedWidth(leaf: number): string {
  return String(leaf).padStart(LEAF_DIGITS, '0');
}

/** A segment is named by its first leaf, so that listing gives the order and a name can be taken once. */
export function segmentKey(origin: string, firstLeaf: number): string {
  return segmentPrefix(origin) + fixedWidth(firstLeaf);
}

export function packKey(origin: string, hash: string): string {
  return packPrefix(origin) + hash;
}

/** Heads of all streams as of the first `leaves` leaves. */
export function headsKey(origin: string, leaves: number): string {
  return headsPrefix(origin) + fixedWidth(leaves);
}

export function checkpointKey(origin: string): string {
  return `${logPrefix(origin)}checkpoint`;
}

const NAME_DIGITS = 16;

/** Checkpoints with a witness's cosignature, each named by its size and the beginning of its SHA-256. */
export function witnessPrefix(origin: string): string {
  return `${logPrefix(origin)}witness/`;
}

/** `hash`: SHA-256 of the object, hex. */
export function witnessKey(origin: string, size: number, hash: string): string {
  return `${witnessPrefix(origin)}${fixedWidth(size)}-${hash.slice(0, NAME_DIGITS)}`;
}

/** Time stamps of checkpoints, named in the same way. */
export function timeStampPrefix(origin: string): string {
  return `${logPrefix(origin)}tsa/`;
}

export function timeStampKey(origin: string, size: number, hash: string): string {
  return `${timeStampPrefix(origin)}${fixedWidth(size)}-${hash.slice(0, NAME_DIGITS)}`;
}

/** Tiles and entry bundles; a tile's own path (`tilePath`) comes behind the log's prefix. */
export function tilePrefix(origin: string): string {
  return `${logPrefix(origin)}tile/`;
}

/** The newest checkpoint for whose size all tiles are there. */
export function tileCheckpointKey(origin: string): string {
  return `${tilePrefix(origin)}checkpoint`;
}

export const MEDIA_PREFIX = 'media/';

export function mediaKey(hash: string): string {
  return `${MEDIA_PREFIX}${hash.slice(0, 2)}/${hash}`;
}

/** The leaf number in a segment's or heads file's key. */
export function leafOfKey(key: string): number {
  const name = key.slice(key.lastIndexOf('/') + 1);
  if (!/^\d{16}$/.test(name) || !Number.isSafeInteger(Number(name)))
    throw new FormatError('format/object-key', `a name of ${LEAF_DIGITS} digits`, 'another key');
  return Number(name);
}

/** The hash in a pack's or object's key, or null if the key is no such name. */
export function hashOfKey(key: string): string | null {
  const name = key.slice(key.lastIndexOf('/') + 1);
  return /^[0-9a-f]{64}$/.test(name) ? name : null;
}
