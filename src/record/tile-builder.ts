// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { HASH_BYTES, leafHash, type Hash } from './hash.ts';
import { RangeBuilder, type CompactRange } from './merkle.ts';
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
 * Makes the tiles of a growing tree, each once, from its leaf hashes. Pure: what it gives follows from the leaves alone, so tiles may be
 * thrown away and made again at any time. Holds one open tile of each level.
 */
export class TileLevels {
  #size: number;
  /** Hashes of the open tile, per level. */
  readonly #levels: Hash[][];

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

  /** Appends a leaf; returns the tiles that it completed, lowest level first. */
  append(leaf: Hash): Tile[] {
    this.#size += 1;
    const made: Tile[] = [];
    let hash = leaf;
    for (let level = 0; ; level += 1) {
      const hashes = (this.#levels[level] ??= []);
      hashes.push(hash);
      if (hashes.length < TILE_WIDTH) return made;
      const index = this.#size / TILE_WIDTH ** (level + 1) - 1;
      made.push(tileOf({ level, index, width: TILE_WIDTH }, Buffer.concat(hashes)));
      this.#levels[level] = [];
      hash = tileRoot(hashes);
    }
  }

  /** The partial tiles of the present size. */
  open(): Tile[] {
    return [...this.#levels.entries()].flatMap(([level, hashes]) => {
      const index = Math.floor(this.#size / TILE_WIDTH ** (level + 1));
      return hashes.length === 0 ? [] : tileOf({ level, index, width: hashes.length }, Buffer.concat(hashes));
    });
  }

  /** The tree's compact range: the open tiles are all that a root needs. */
  range(): CompactRange {
    const builder = new RangeBuilder(0);
    for (const [level, hashes] of [...this.#levels.entries()].toReversed()) {
      for (const hash of hashes) {
        const begin = builder.end;
        builder.append({ begin, end: begin + TILE_WIDTH ** level, hashes: [hash] });
      }
    }
    return builder.range();
  }
}

function tileOf(ref: TileRef, bytes: Buffer): Tile {
  return { ref, path: tilePath(ref), bytes };
}

/** Tiles and entry bundles, from the entries. Holds the entries of the open bundle besides. */
export class TileBuilder {
  readonly #levels: TileLevels;
  #entries: Uint8Array[] = [];

  constructor(start: TileStart = NO_TILES) {
    this.#levels = new TileLevels(start);
  }

  get size(): number {
    return this.#levels.size;
  }

  /** Appends an entry; returns the bundle and the tiles that it completed. */
  append(entry: Uint8Array): Tile[] {
    this.#entries.push(entry);
    const made = this.#levels.append(leafHash(entry));
    if (this.#entries.length < TILE_WIDTH) return made;
    const bundle = encodeBundle(this.#entries);
    this.#entries = [];
    return [tileOf({ level: ENTRIES, index: this.size / TILE_WIDTH - 1, width: TILE_WIDTH }, bundle), ...made];
  }

  /** The partial bundle and tiles of the present size. */
  open(): Tile[] {
    const width = this.#entries.length;
    const index = Math.floor(this.size / TILE_WIDTH);
    const bundles = width === 0 ? [] : [tileOf({ level: ENTRIES, index, width }, encodeBundle(this.#entries))];
    return [...bundles, ...this.#levels.open()];
  }

  range(): CompactRange {
    return this.#levels.range();
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
