// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { openCheckpoint } from '../record/checkpoint.ts';
import { entryId } from '../record/entry.ts';
import { FormatError } from '../record/format-error.ts';
import { HASH_BYTES, nodeHash, type Hash } from '../record/hash.ts';
import {
  checkpointKey,
  headsPrefix,
  leafOfKey,
  logPrefix,
  segmentKey,
  segmentPrefix,
  tileCheckpointKey,
  tilePrefix,
} from '../record/layout.ts';
import { rangeLevels, RangeBuilder, verifyInclusion } from '../record/merkle.ts';
import { inclusionSpans } from '../record/proof-spans.ts';
import { parseSegment, type Segment } from '../record/segment.ts';
import { TileTree } from '../record/tile-tree.ts';
import { parseTilePath, TILE_WIDTH } from '../record/tiles.ts';
import type { Policy } from '../record/policy.ts';
import type { TlogProof } from '../record/tlog-proof.ts';
import type { Trust } from '../record/trust.ts';
import { MAX_WHOLE_BYTES, readWhole, type ArchiveReader } from '../verify/reader.ts';
import { cosignedBehind, isMet, tilesBefore } from './cosigned.ts';

export interface PlacedSegment {
  readonly first: number;
  readonly segment: Segment;
  /** Leaf hashes of its entries. */
  readonly ids: readonly Hash[];
}

const TILES_AT_ONCE = 32;
const MAX_TILE_BYTES = TILE_WIDTH * HASH_BYTES;

/** Leaf hashes from a leaf on. */
interface LeafTile {
  readonly first: number;
  readonly key: string;
  readonly version: string;
  readonly size: number;
}

/** The log as proofs need it: a segment here and there and a few tiles, never all of it. */
export class ArchiveSource {
  readonly trust: Trust;
  readonly #reader: ArchiveReader;
  readonly #segments = new Map<number, PlacedSegment>();
  readonly #policy: Policy | null;
  #tiles: { tree: TileTree; note: string } | null | undefined;

  /** With a policy, proofs lead to checkpoints that meet it, where there are any. */
  constructor(reader: ArchiveReader, trust: Trust, policy: Policy | null = null) {
    this.#reader = reader;
    this.trust = trust;
    this.#policy = policy;
  }

  /** The first version of a key, which is the object; null if there is none. */
  async read(key: string): Promise<Buffer | null> {
    const state = await this.#reader.state(key, '');
    if (state === null || state.size > MAX_WHOLE_BYTES) return null;
    return await readWhole(this.#reader, key, state.version, state.size);
  }

  /** The newest version of what is derived and may be made again. */
  async readDerived(key: string): Promise<Buffer | null> {
    for await (const { key: found, version, size, deleteMarker } of this.#reader.listVersions(key)) {
      if (found !== key) return null;
      if (!deleteMarker && size <= MAX_WHOLE_BYTES) return await readWhole(this.#reader, key, version, size);
    }
    return null;
  }

  /** The segment that holds a leaf: found by looking a little before it, then further and further. Null beyond the log's end. */
  async segmentOf(leaf: number): Promise<PlacedSegment | null> {
    for (const { first, ids } of this.#segments.values()) {
      if (first <= leaf && leaf < first + ids.length) return this.#segments.get(first) as PlacedSegment;
    }
    for (let back = 64; ; back *= 16) {
      const from = Math.max(0, leaf - back);
      let best: number | null = null;
      for await (const first of this.#leavesFrom(segmentPrefix(this.trust.origin), from)) {
        if (first > leaf) break;
        best = first;
      }
      if (best !== null || from === 0) return best === null ? null : await this.#holding(best, leaf);
    }
  }

  async #holding(first: number, leaf: number): Promise<PlacedSegment | null> {
    const placed = await this.segmentAt(first);
    return placed !== null && leaf < first + placed.ids.length ? placed : null;
  }

  async segmentAt(first: number): Promise<PlacedSegment | null> {
    const known = this.#segments.get(first);
    if (known !== undefined) return known;
    const bytes = await this.read(segmentKey(this.trust.origin, first));
    if (bytes === null) return null;
    const segment = parseSegment(bytes);
    const placed = { first, segment, ids: segment.entries.map((line) => entryId(line.toString('latin1'))) };
    this.#segments.set(first, placed);
    return placed;
  }

  /** First leaves of the heads objects from a leaf on. */
  headsFrom(leaf: number): AsyncGenerator<number> {
    return this.#leavesFrom(headsPrefix(this.trust.origin), leaf);
  }

  async *#leavesFrom(prefix: string, leaf: number): AsyncGenerator<number> {
    const after = leaf === 0 ? '' : prefix + String(leaf - 1).padStart(16, '0');
    let last = -1;
    for await (const { key, deleteMarker } of this.#reader.listVersions(prefix, after)) {
      if (deleteMarker || !/\/\d{16}$/.test(key)) continue;
      const found = leafOfKey(key);
      if (found !== last) yield (last = found);
    }
  }

  /** Proof of a leaf, from the tiles where they cover it, under a cosigned checkpoint if there is one; else from its segment alone. */
  async proof(leaf: number): Promise<TlogProof> {
    const tiles = await this.tiles();
    const cosigned = tiles === null || leaf >= tiles.tree.size ? null : await this.#cosigned(leaf);
    const witnessed = cosigned === null ? null : await this.#fromTiles(leaf, this.#treeOf(cosigned, tiles), cosigned);
    const tiled = witnessed ?? (tiles === null ? null : await this.#fromTiles(leaf, tiles.tree, tiles.note));
    return tiled ?? (await this.#fromSegment(leaf));
  }

  /** Proof of a leaf under a checkpoint that is given; null where the tiles do not reach it and the leaf's segment does not end there. */
  async proofUnder(leaf: number, checkpoint: string): Promise<TlogProof | null> {
    const { size, root } = openCheckpoint(checkpoint, this.trust.log);
    const tiles = await this.tiles();
    if (tiles !== null && size <= tiles.tree.size)
      return await this.#fromTiles(leaf, this.#treeOf(checkpoint, tiles), checkpoint);
    const placed = await this.segmentOf(leaf);
    if (placed === null || placed.first + placed.ids.length !== size) return null;
    const hashes = inclusionSpans(leaf, size).map(([begin, end]) => foldSpan(placed, begin, end));
    verifyInclusion(placed.ids[leaf - placed.first] as Hash, leaf, size, hashes, root);
    return { index: leaf, hashes, checkpoint };
  }

  /** Keys under a prefix behind another key, ascending, delete markers excepted. */
  async *keysAfter(prefix: string, after: string): AsyncGenerator<string> {
    for await (const { key, deleteMarker } of this.#reader.listVersions(prefix, after)) if (!deleteMarker) yield key;
  }

  /** False where a policy was given that the proof's checkpoint does not meet yet. */
  meets({ checkpoint }: TlogProof): boolean {
    return this.#policy === null || isMet(checkpoint, this.#policy);
  }

  async #cosigned(leaf: number): Promise<string | null> {
    const { origin, log } = this.trust;
    const place = {
      origin,
      log,
      read: (key: string) => this.read(key),
      keysAfter: (prefix: string, after: string) => this.keysAfter(prefix, after),
    };
    return await cosignedBehind(place, leaf, this.#policy);
  }

  /**
   * The earliest checkpoint of at least `size` leaves that witnesses cosigned, with the proof that it goes on from those. Null where there is
   * none yet, or the tiles do not reach it.
   */
  async cosignedSince(size: number): Promise<{ readonly checkpoint: string; readonly consistency: Hash[] } | null> {
    const tiles = await this.tiles();
    const checkpoint = size === 0 ? null : await this.#cosigned(size - 1);
    if (checkpoint === null) return null;
    const { size: later } = openCheckpoint(checkpoint, this.trust.log);
    if (later === size) return { checkpoint, consistency: [] };
    if (tiles === null || later > tiles.tree.size) return null;
    try {
      return { checkpoint, consistency: await this.#treeOf(checkpoint, tiles).consistencyProof(size) };
    } catch (error) {
      if (error instanceof FormatError) return null;
      throw error;
    }
  }

  #treeOf(note: string, tiles: { tree: TileTree } | null): TileTree {
    const { origin, log } = this.trust;
    const { size } = openCheckpoint(note, log);
    return new TileTree(
      size,
      tilesBefore(tiles?.tree.size ?? 0, origin, (key) => this.readDerived(key)),
    );
  }

  /** The tiles of the newest tree that is published whole; null where there are none that the log key vouches for. */
  async tiles(): Promise<{ tree: TileTree; note: string } | null> {
    if (this.#tiles !== undefined) return this.#tiles;
    const note = (await this.readDerived(tileCheckpointKey(this.trust.origin)))?.toString() ?? null;
    this.#tiles = null;
    if (note === null) return null;
    try {
      const { size } = openCheckpoint(note, this.trust.log);
      const prefix = logPrefix(this.trust.origin);
      this.#tiles = { tree: new TileTree(size, (path) => this.readDerived(prefix + path)), note };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
    return this.#tiles;
  }

  /** A damaged or missing tile gives a proof that does not hold, and so none. */
  async #fromTiles(leaf: number, tree: TileTree, checkpoint: string): Promise<TlogProof | null> {
    if (leaf >= tree.size) return null;
    try {
      const { size, root } = openCheckpoint(checkpoint, this.trust.log);
      const hashes = await tree.inclusionProof(leaf);
      verifyInclusion(await tree.leaf(leaf), leaf, size, hashes, root);
      return { index: leaf, hashes, checkpoint };
    } catch (error) {
      if (error instanceof FormatError) return null;
      throw error;
    }
  }

  /** In the tree that ends with the segment, which its own `edge` and entries give; the segment behind it carries the signed checkpoint. */
  async #fromSegment(leaf: number): Promise<TlogProof> {
    const placed = await this.segmentOf(leaf);
    if (placed === null) throw missing(`leaf ${leaf}`, 'none: the log ends before');
    const size = placed.first + placed.ids.length;
    const hashes = inclusionSpans(leaf, size).map(([begin, end]) => foldSpan(placed, begin, end));
    const next = await this.segmentAt(size);
    const checkpoint =
      next?.segment.head.checkpoint ?? (await this.readDerived(checkpointKey(this.trust.origin)))?.toString();
    if (checkpoint === undefined) throw missing(`a signed checkpoint of ${size} leaves`, 'none yet');
    const opened = openCheckpoint(checkpoint, this.trust.log);
    if (opened.size !== size) throw missing(`a signed checkpoint of ${size} leaves`, `one of ${opened.size}`);
    verifyInclusion(placed.ids[leaf - placed.first] as Hash, leaf, size, hashes, opened.root);
    return { index: leaf, hashes, checkpoint };
  }

  /** The leaf with an id. Nothing is ordered by ids, so all tiles are read, from the newest backwards, many at once. */
  async leafOf(id: string): Promise<number | null> {
    const wanted = Buffer.from(id, 'hex');
    const tiles = await this.tiles();
    const size = tiles?.tree.size ?? 0;
    for await (const first of this.#leavesFrom(segmentPrefix(this.trust.origin), size)) {
      const at = (await this.segmentAt(first))?.ids.findIndex((hash) => hash.equals(wanted)) ?? -1;
      if (at >= 0) return first + at;
    }
    const listed = await this.#leafTiles();
    for (let end = listed.length; end > 0; end -= TILES_AT_ONCE) {
      const some = listed.slice(Math.max(0, end - TILES_AT_ONCE), end);
      const found = await Promise.all(some.map((tile) => this.#leafIn(tile, wanted)));
      const leaf = found.find((each) => each !== null);
      if (leaf !== undefined && leaf !== null) return leaf;
    }
    return tiles === null ? null : await this.#straddling(size, wanted);
  }

  /** Tiles of leaf hashes as the listing shows them, ascending, the newest version of each. */
  async #leafTiles(): Promise<LeafTile[]> {
    const prefix = logPrefix(this.trust.origin);
    const found: LeafTile[] = [];
    for await (const { key, version, size, deleteMarker } of this.#reader.listVersions(
      `${tilePrefix(this.trust.origin)}0/`,
    )) {
      if (key === found.at(-1)?.key || deleteMarker || size > MAX_TILE_BYTES) continue;
      const first = leafOfTile(key.slice(prefix.length));
      if (first !== null) found.push({ first, key, version, size });
    }
    return found;
  }

  async #leafIn({ first, key, version, size }: LeafTile, wanted: Buffer): Promise<number | null> {
    const bytes = await readWhole(this.#reader, key, version, size);
    for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) {
      if (at % HASH_BYTES === 0) return first + at / HASH_BYTES;
    }
    return null;
  }

  /** In the segment that the tiles' last leaf stands in. */
  async #straddling(size: number, wanted: Buffer): Promise<number | null> {
    const placed = size === 0 ? null : await this.segmentOf(size - 1);
    const at = placed?.ids.findIndex((hash) => hash.equals(wanted)) ?? -1;
    return placed === null || at < 0 ? null : placed.first + at;
  }
}

/** The first leaf of a tile; null for another name. */
function leafOfTile(path: string): number | null {
  try {
    return parseTilePath(path).index * TILE_WIDTH;
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

export function missing(expected: string, got: string): Failure {
  return new Failure('prove/not-found', {
    expected,
    got,
    fix: 'look with `holdfast verify` whether the archive is whole',
  });
}

/** The hash of a subtree that lies in a segment, or before it, or over its beginning. */
function foldSpan({ first, segment, ids }: PlacedSegment, begin: number, end: number): Hash {
  const builder = new RangeBuilder(begin);
  let at = 0;
  for (const [index, level] of rangeLevels(0, first).entries()) {
    const hash = segment.head.edge.hashes[index] as Hash;
    if (at >= begin && at < end) builder.append({ begin: at, end: at + 2 ** level, hashes: [hash] });
    at += 2 ** level;
  }
  for (let leaf = Math.max(first, begin); leaf < end; leaf += 1) builder.appendLeaf(ids[leaf - first] as Hash);
  return builder.range().hashes.reduceRight((right, left) => nodeHash(left, right));
}
