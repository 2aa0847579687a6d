// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';
import { nodeHash, type Hash } from './hash.ts';
import { rangeLevels, RangeBuilder, rootOf } from './merkle.ts';
import { consistencySpans, inclusionSpans } from './proof-spans.ts';
import { parseTile } from './tile-builder.ts';
import { tilePath, TILE_WIDTH } from './tiles.ts';

/** Bytes of the tile at a path under the log's prefix, or null if there is none. */
export type ReadTile = (path: string) => Promise<Uint8Array | null>;

const TILE_HEIGHT = 8;

/**
 * Proofs from published tiles, for the tree of one checkpoint. A proof of any leaf takes a tile for each eight levels of the tree. Tiles
 * are not signed: whoever uses a proof checks it against the checkpoint's root, and a tile with other hashes gives another root.
 */
export class TileTree {
  readonly size: number;
  readonly #read: ReadTile;
  readonly #tiles = new Map<string, Promise<Hash[]>>();
  /** Nodes that were folded from parts of a tile: those of one proof are needed for the next one. */
  readonly #nodes = new Map<string, Promise<Hash>>();

  constructor(size: number, read: ReadTile) {
    this.size = size;
    this.#read = read;
  }

  /** The leaf hash at an index, which is also the record's id. Throws `format/tile` where a tile is missing or has another length. */
  async leaf(index: number): Promise<Hash> {
    return this.node(0, index);
  }

  async inclusionProof(leaf: number): Promise<Hash[]> {
    return Promise.all(inclusionSpans(leaf, this.size).map((span) => this.#subtree(...span)));
  }

  /** That the first `size` leaves, at least one, are the beginning. */
  async consistencyProof(size: number): Promise<Hash[]> {
    return Promise.all(consistencySpans(size, this.size).map((span) => this.#subtree(...span)));
  }

  async root(): Promise<Hash> {
    const builder = new RangeBuilder(0);
    let at = 0;
    for (const level of rangeLevels(0, this.size)) {
      const end = at + 2 ** level;
      builder.append({ begin: at, end, hashes: [await this.node(level, at / 2 ** level)] });
      at = end;
    }
    return rootOf(builder.range());
  }

  /** Of a proof's subtree, which is complete or reaches to the end of the tree. */
  async #subtree(begin: number, end: number): Promise<Hash> {
    let at = begin;
    const nodes = rangeLevels(begin, end).map((level) => {
      const node = this.node(level, at / 2 ** level);
      at += 2 ** level;
      return node;
    });
    return (await Promise.all(nodes)).reduceRight((right, left) => nodeHash(left, right));
  }

  /** Hash of the complete subtree of 2^level leaves that is the index-th of its level. Throws as {@link leaf} does. */
  node(level: number, index: number): Promise<Hash> {
    const name = `${level}/${index}`;
    const known = this.#nodes.get(name) ?? this.#fold(level, index);
    this.#nodes.set(name, known);
    return known;
  }

  /** From the tile that has it or its parts. */
  async #fold(level: number, index: number): Promise<Hash> {
    const tileLevel = Math.floor(level / TILE_HEIGHT);
    const count = 2 ** (level % TILE_HEIGHT);
    const first = index * count;
    const hashes = await this.#tile(tileLevel, Math.floor(first / TILE_WIDTH));
    const parts = hashes.slice(first % TILE_WIDTH, (first % TILE_WIDTH) + count);
    const builder = new RangeBuilder(0);
    for (const hash of parts) builder.appendLeaf(hash);
    const [node, ...rest] = builder.range().hashes;
    if (node === undefined || rest.length > 0)
      throw new FormatError('format/tile', `${count} hashes`, `${parts.length}`);
    return node;
  }

  #tile(level: number, index: number): Promise<Hash[]> {
    const inLevel = Math.floor(this.size / TILE_WIDTH ** level);
    const width = Math.min(TILE_WIDTH, inLevel - index * TILE_WIDTH);
    const path = tilePath({ level, index, width });
    const known = this.#tiles.get(path) ?? this.#readTile({ level, index, width });
    this.#tiles.set(path, known);
    return known;
  }

  /** A partial tile may be gone once the full one is there. */
  async #readTile(ref: { level: number; index: number; width: number }): Promise<Hash[]> {
    const path = tilePath(ref);
    const bytes = await this.#read(path);
    if (bytes !== null) return parseTile(bytes, ref.width);
    const full = ref.width < TILE_WIDTH ? await this.#read(tilePath({ ...ref, width: TILE_WIDTH })) : null;
    if (full === null) throw new FormatError('format/tile', `a tile at ${path}`, 'none');
    return parseTile(full, TILE_WIDTH).slice(0, ref.width);
  }
}
