// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { HASH_BYTES, leafHash, type Hash } from './hash.ts';
import { RangeBuilder } from './merkle.ts';
import { tilePath, TILE_WIDTH, type TileRef } from './tiles.ts';

/** A tile or entry bundle with its bytes. */
export interface Tile {
  readonly ref: TileRef;
  /** Under the log's prefix: `tile/…`. */
  readonly path: string;
  readonly bytes: Buffer;
}

/** Where tiles go on: a size that ends a tile of level 0, with the hashes of the open tile of each level above, from level 1. */
export interface TileStart {
  readonly size: number;
  readonly open: readonly (readonly Hash[])[];
}

export const NO_TILES: TileStart = { size: 0, open: [] };

const MAX_ENTRY_BYTES = 0xffff;
const ENTRIES = -1;

/**
 * Makes the tiles and entry bundles of a growing tree, each once. Pure: what it gives follows from the entries alone, so tiles may be
 * thrown away and made again at any time. Holds one open tile of each level and one open bundle.
 */
export class TileBuilder {
  #size: number;
  /** Hashes of the open tile, per level. */
  readonly #levels: Hash[][];
  #entries: Uint8Array[] = [];

  /** Throws `format/tile` if `start` is no place between two tiles of level 0, or has other open tiles than that size. */
  constructor(start: TileStart = NO_TILES) {
    this.#size = start.size;
    this.#levels = [[], ...start.open.map((hashes) => [...hashes])];
    if (start.size % TILE_WIDTH !== 0) throw new FormatError('format/tile', 'a size between tiles', `${start.size}`);
    for (let level = 1; TILE_WIDTH ** level <= start.size || level < this.#levels.length; level += 1) {
      const wanted = Math.floor(start.size / TILE_WIDTH ** level) % TILE_WIDTH;
      const got = this.#levels[level]?.length ?? 0;
      if (got !== wanted) throw new FormatError('format/tile', `${wanted} hashes of level ${level}`, `${got}`);
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Appends an entry; returns the tiles that it completed. */
  append(entry: Uint8Array): Tile[] {
    this.#entries.push(entry);
    this.#size += 1;
    const made: Tile[] = [];
    this.#push(0, leafHash(entry), made);
    if (this.#entries.length === TILE_WIDTH) {
      made.unshift(this.#tile(ENTRIES, this.#size / TILE_WIDTH - 1, encodeBundle(this.#entries), TILE_WIDTH));
      this.#entries = [];
    }
    return made;
  }

  #push(level: number, hash: Hash, made: Tile[]): void {
    const hashes = (this.#levels[level] ??= []);
    hashes.push(hash);
    if (hashes.length < TILE_WIDTH) return;
    const index = this.#size / TILE_WIDTH ** (level + 1) - 1;
    made.push(this.#tile(level, index, Buffer.concat(hashes), TILE_WIDTH));
    this.#levels[level] = [];
    this.#push(level + 1, tileRoot(hashes), made);
  }

  #tile(level: number, index: number, bytes: Buffer, width: number): Tile {
    const ref = { level, index, width };
    return { ref, path: tilePath(ref), bytes };
  }

  /** The partial tiles of the present size. */
  open(): Tile[] {
    const made: Tile[] = [];
    if (this.#entries.length > 0) {
      const index = Math.floor(this.#size / TILE_WIDTH);
      made.push(this.#tile(ENTRIES, index, encodeBundle(this.#entries), this.#entries.length));
    }
    for (const [level, hashes] of this.#levels.entries()) {
      if (hashes.length === 0) continue;
      const index = Math.floor(this.#size / TILE_WIDTH ** (level + 1));
      made.push(this.#tile(level, index, Buffer.concat(hashes), hashes.length));
    }
    return made;
  }
}

/** Root of a full tile: a hash of the level above. */
export function tileRoot(hashes: readonly Hash[]): Hash {
  const range = new RangeBuilder(0);
  for (const hash of hashes) range.appendLeaf(hash);
  const [root, ...rest] = range.range().hashes;
  if (root === undefined || rest.length > 0) throw new FormatError('format/tile', 'a full tile', `${hashes.length}`);
  return root;
}

/** The hashes of a tile. Throws `format/tile` unless there are exactly `width` of them. */
export function parseTile(bytes: Uint8Array, width: number): Hash[] {
  if (bytes.length !== width * HASH_BYTES) {
    throw new FormatError('format/tile', `${width * HASH_BYTES} bytes`, `${bytes.length}`);
  }
  const tile = Buffer.from(bytes);
  return Array.from({ length: width }, (_, index) => tile.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
}

/** Each entry behind its length in two bytes, big-endian. Throws `format/too-large`. */
export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY_BYTES) {
        throw new FormatError('format/too-large', `at most ${MAX_ENTRY_BYTES} bytes`, `${entry.length}`);
      }
      return [Buffer.of(entry.length >> 8, entry.length & 0xff), entry];
    }),
  );
}

/** The entries of a bundle. Throws `format/tile` unless there are exactly `width` and nothing behind them. */
export function parseBundle(bytes: Uint8Array, width: number): Buffer[] {
  const bundle = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Buffer[] = [];
  let at = 0;
  while (at < bundle.length && entries.length < width) {
    const begin = at + 2;
    const end = begin <= bundle.length ? begin + bundle.readUInt16BE(at) : Infinity;
    if (end > bundle.length)
      throw new FormatError('format/tile', 'whole entries', `an end within entry ${entries.length}`);
    entries.push(bundle.subarray(begin, end));
    at = end;
  }
  if (entries.length !== width || at !== bundle.length) {
    throw new FormatError('format/tile', `${width} entries`, `${entries.length} and ${bundle.length - at} bytes`);
  }
  return entries;
}
