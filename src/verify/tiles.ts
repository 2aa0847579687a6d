// SPDX-License-Identifier: Apache-2.0
import type { Checkpoint } from '../record/checkpoint.ts';
import { FormatError } from '../record/format-error.ts';
import { HASH_BYTES } from '../record/hash.ts';
import { logPrefix, tileCheckpointKey, tilePrefix } from '../record/layout.ts';
import { TileLevels, type Tile, type TileStart } from '../record/tile-builder.ts';
import { parseTilePath, tilePath, tilesOf, TILE_WIDTH, type TileRef } from '../record/tiles.ts';
import type { Trust } from '../record/trust.ts';
import { openCurrent } from './checkpoints.ts';
import type { Findings } from './findings.ts';
import type { Jobs } from './jobs.ts';
import type { TaskPool } from './pool.ts';
import { listed, readWhole, type ArchiveReader } from './reader.ts';
import { shown } from './survey.ts';
import type { LogTree } from './tree.ts';

const ENTRIES = -1;
const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + 0xffff);
/** Levels that a log can have before its leaf numbers end. */
const LEVELS = [ENTRIES, 0, 1, 2, 3, 4, 5] as const;

interface ListedTile {
  readonly ref: TileRef;
  readonly key: string;
  readonly size: number;
  readonly version: string;
}

/** The published tiles, as the listing shows them. Taken before the segments: tiles follow those. */
export interface StoredTiles {
  /** Full and partial tiles of one place together. */
  readonly byPlace: Map<string, ListedTile[]>;
  readonly checkpoint: Checkpoint | null;
}

const placeOf = ({ level, index }: TileRef): string => `${level}/${index}`;

/** Lists the tiles. They are derived, so the newest version of each is the one that counts. */
export async function listTiles(reader: ArchiveReader, trust: Trust, findings: Findings): Promise<StoredTiles> {
  const own = tileCheckpointKey(trust.origin);
  const checkpoint = await openCurrent(reader, own, trust.log, 'verify/tile-checkpoint-unsigned', findings);
  const byPlace = new Map<string, ListedTile[]>();
  const prefix = logPrefix(trust.origin);
  let last = '';
  for await (const { key, size, version, deleteMarker } of listed(reader, tilePrefix(trust.origin))) {
    if (key === last || key === own) continue;
    last = key;
    if (deleteMarker) continue;
    try {
      const ref = parseTilePath(key.slice(prefix.length));
      byPlace.set(placeOf(ref), [...(byPlace.get(placeOf(ref)) ?? []), { ref, key, size, version }]);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      findings.add('verify/version-unknown-key', { key: shown(key) }, 'the path of a tile', 'another name');
    }
  }
  return { byPlace, checkpoint };
}

interface Parts {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  readonly findings: Findings;
  readonly pool: TaskPool;
  readonly jobs: Jobs;
  /** False: by size alone, no bytes. */
  readonly withBytes: boolean;
}

/**
 * Holds the published tiles against those that the log itself gives. Goes along with the log from where it is read; of leaves before that
 * nothing can be said, nor behind leaves that could not be read, and nothing is.
 */
export class TileCheck {
  readonly #p: Parts;
  readonly #stored: StoredTiles;
  #levels = new TileLevels();
  /** First leaf whose hashes are known; it begins a tile. */
  #known = 0;
  /** The leaf that comes next. */
  #next = 0;
  /** Ids of the open entry bundle, packed. */
  #ids: Buffer[] = [];
  #isWhole = true;
  /** Tiles and bundles that were compared. */
  count = 0;

  constructor(parts: Parts, stored: StoredTiles) {
    this.#p = parts;
    this.#stored = stored;
  }

  get size(): number {
    return this.#stored.checkpoint?.size ?? 0;
  }

  /** Earlier leaves are vouched for otherwise, and not read. */
  beginAt(leaf: number): void {
    this.#next = leaf;
    this.#known = Math.ceil(leaf / TILE_WIDTH) * TILE_WIDTH;
    this.#levels = new TileLevels(unknownUpTo(this.#known));
  }

  /** The next leaves of the log: their ids, 32 bytes each. */
  async take(first: number, ids: Uint8Array): Promise<void> {
    if (this.#stored.byPlace.size === 0) return;
    if (first !== this.#next) this.#isWhole = false;
    if (!this.#isWhole) return;
    this.#next += ids.length / HASH_BYTES;
    // A copy: the ids go on to who remembers them.
    const bytes = Buffer.from(ids);
    const begin = Math.max(0, this.#known - first) * HASH_BYTES;
    for (let at = begin; at < bytes.length; at += HASH_BYTES) {
      // Nothing is awaited for a leaf that completes nothing: there are millions.
      const full = this.#append(bytes.subarray(at, at + HASH_BYTES));
      for (const tile of full) await this.#judge(tile.ref, tile.bytes);
    }
  }

  /** What the leaf completes: a bundle, by the hashes of its entries, and tiles. */
  #append(id: Buffer): Pick<Tile, 'ref' | 'bytes'>[] {
    const full = this.#levels.append(id);
    this.#ids.push(id);
    if (this.#ids.length < TILE_WIDTH) return full;
    const index = this.#levels.size / TILE_WIDTH - 1;
    const bundle = { ref: { level: ENTRIES, index, width: TILE_WIDTH }, bytes: Buffer.concat(this.#ids) };
    this.#ids = [];
    return [bundle, ...full];
  }

  /** All that is stored at a place, full or partial, against the hashes that belong there. */
  async #judge(ref: TileRef, hashes: Buffer): Promise<void> {
    const stored = this.#stored.byPlace.get(placeOf(ref)) ?? [];
    const unknown = this.#unknownOf(ref);
    for (const tile of stored.filter(({ ref: { width } }) => width <= ref.width && width > unknown)) {
      this.count += 1;
      const expected = hashes.subarray(0, tile.ref.width * HASH_BYTES);
      const isBundle = tile.ref.level === ENTRIES;
      if (isBundle ? tile.size > MAX_BUNDLE_BYTES : tile.size !== expected.length) {
        this.#found(tile, isBundle ? `at most ${MAX_BUNDLE_BYTES} bytes` : `${expected.length} bytes`, `${tile.size}`);
      } else if (this.#p.withBytes) {
        await this.#p.jobs.start(tile.size, () => this.#compare(tile, expected, unknown * HASH_BYTES));
      }
    }
  }

  /** How many hashes at the beginning of a tile are of leaves that were not read. */
  #unknownOf({ level, index }: TileRef): number {
    const span = TILE_WIDTH ** Math.max(level, 0);
    return Math.max(0, Math.ceil(this.#known / span) - index * TILE_WIDTH);
  }

  async #compare(tile: ListedTile, hashes: Buffer, from: number): Promise<void> {
    const bytes = await readWhole(this.#p.reader, tile.key, tile.version, tile.size);
    const isSame =
      tile.ref.level === ENTRIES
        ? await this.#p.pool.run({ kind: 'bundle', bytes, hashes: Buffer.from(hashes) })
        : bytes.subarray(from).equals(hashes.subarray(from));
    if (!isSame) this.#found(tile, 'what the segments give', 'other bytes');
  }

  #found({ key, ref }: ListedTile, expected: string, got: string): void {
    const leaf = ref.index * TILE_WIDTH ** (Math.max(ref.level, 0) + 1);
    this.#p.findings.add('verify/tile-other', { leaf, key }, expected, got);
  }

  /** Once the whole log was read. `hasEnd`: nobody can say otherwise what is ahead of it. */
  async finish(tree: LogTree, hasEnd: boolean): Promise<void> {
    const { checkpoint, byPlace } = this.#stored;
    const isWhole = this.#isWhole && this.#next === tree.size;
    if (isWhole && this.#levels.size === tree.size) await this.#judgeOpen();
    if (checkpoint !== null) this.#judgeCheckpoint(checkpoint, tree, hasEnd);
    if (!isWhole || !hasEnd) return;
    for (const { key, ref } of [...byPlace.values()].flat()) {
      if (lastLeafOf(ref) < tree.size) continue;
      this.#p.findings.add('verify/tile-ahead', { key }, `tiles of ${tree.size} leaves at most`, 'more hashes');
    }
  }

  async #judgeOpen(): Promise<void> {
    const width = this.#ids.length;
    const index = Math.floor(this.#levels.size / TILE_WIDTH);
    if (width > 0) await this.#judge({ level: ENTRIES, index, width }, Buffer.concat(this.#ids));
    for (const { ref, bytes } of this.#levels.open()) await this.#judge(ref, bytes);
  }

  #judgeCheckpoint({ size, root }: Checkpoint, tree: LogTree, hasEnd: boolean): void {
    const where = { key: tileCheckpointKey(this.#p.trust.origin) };
    if (size > tree.size) {
      if (hasEnd) this.#p.findings.add('verify/checkpoint-ahead', where, `at most ${tree.size} leaves`, `${size}`);
      return;
    }
    this.#noteMissing(size);
    const found = tree.rootAt(size);
    if (found !== null && found !== root.toString('hex')) {
      this.#p.findings.add('verify/checkpoint-root', where, `root ${root.toString('hex')} at ${size}`, found);
    }
  }
  /** Tiles that the checkpoint beside them needs and the listing does not have: a note, since they can be made again. */
  #noteMissing(size: number): void {
    const { trust, findings } = this.#p;
    for (const level of LEVELS) {
      for (const ref of tilesOf(size, level)) {
        const stored = this.#stored.byPlace.get(placeOf(ref)) ?? [];
        if (stored.some(({ ref: { width } }) => width === ref.width || width === TILE_WIDTH)) continue;
        findings.add('verify/tile-missing', { key: logPrefix(trust.origin) + tilePath(ref) }, 'a tile', 'none');
      }
    }
  }
}

/** Where tiles go on behind leaves of which nothing is known: their hashes stand for nothing, and are compared with nothing. */
function unknownUpTo(size: number): TileStart {
  const open: Buffer[][] = [];
  for (let level = 1; TILE_WIDTH ** level <= size; level += 1) {
    const count = Math.floor(size / TILE_WIDTH ** level) % TILE_WIDTH;
    open.push(Array.from({ length: count }, () => Buffer.alloc(HASH_BYTES)));
  }
  return { size, open };
}

function lastLeafOf({ level, index, width }: TileRef): number {
  return (index * TILE_WIDTH + width) * TILE_WIDTH ** Math.max(level, 0) - 1;
}
