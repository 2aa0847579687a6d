// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError } from '../record/format-error.ts';
import { leafHash, type Hash } from '../record/hash.ts';
import { logPrefix, tileCheckpointKey } from '../record/layout.ts';
import { RangeBuilder, rootOf, type CompactRange } from '../record/merkle.ts';
import { NO_TILES, parseTile, TileBuilder, tileRoot, type Tile, type TileStart } from '../record/tile-builder.ts';
import { tilePath, TILE_WIDTH } from '../record/tiles.ts';
import { brokenLog } from './log-state.ts';
import { segmentHolding, segmentsFrom, type LogPlace } from './segments.ts';

/** Full tiles of level 0 that are under way at once. A start after a crash goes back by as many. */
const MOST_UNDER_WAY = 16;

/** A size of the log, as it was signed. */
export interface TileTarget {
  readonly size: number;
  readonly root: Hash;
  /** The signed checkpoint. */
  readonly checkpoint: string;
}

/**
 * Writes the tiles of the log beside its segments, from the segments alone.
 *
 * Crash behaviour: tiles are derived and overwritten with the same bytes, so any of them may be missing or be written again. The first
 * run of a process looks which full tiles are there, holds what it reads of them against the log's own edge, and begins at leaf 0 where
 * they do not fit. `tile/checkpoint` comes last: what it covers is there.
 */
export class TilePublisher {
  readonly #place: LogPlace;
  #builder: TileBuilder | null = null;

  constructor(place: LogPlace) {
    this.#place = place;
  }

  /** Makes everything from leaf 0 at the next publishing, whatever is there. */
  startOver(): void {
    this.#builder = new TileBuilder();
  }

  /**
   * Publishes the tiles up to a size that was signed. Returns how many were written. Rejects with `archive/broken-log` where the segments
   * give another root, and with the signal's reason when aborted; either way the next call goes on where this one was.
   */
  async publish(target: TileTarget, signal?: AbortSignal): Promise<number> {
    const builder = (this.#builder ??= new TileBuilder(await this.#found(target.size)));
    if (builder.size > target.size) throw brokenLog(`tiles of ${builder.size} leaves, ahead of ${target.size}`);
    let written = 0;
    try {
      written = await this.#grow(builder, target.size, signal);
    } catch (error) {
      // What was completed and not written is not remembered: the next run looks at the store.
      this.#builder = null;
      throw error;
    }
    if (!rootOf(builder.range()).equals(target.root)) {
      this.#builder = null;
      throw brokenLog(`another root in the segments up to leaf ${target.size}`);
    }
    const open = builder.open();
    await this.#write(open);
    const { store, origin } = this.#place;
    await store.putDerived(tileCheckpointKey(origin), Buffer.from(target.checkpoint));
    return written + open.length;
  }

  async #grow(builder: TileBuilder, size: number, signal?: AbortSignal): Promise<number> {
    if (builder.size === size) return 0;
    const { head } = await segmentHolding(this.#place, builder.size);
    let waiting: Tile[] = [];
    let written = 0;
    const flush = async (): Promise<void> => {
      await this.#write(waiting);
      written += waiting.length;
      waiting = [];
    };
    for await (const segment of segmentsFrom(this.#place, head.first)) {
      for (const line of segment.entries.slice(builder.size - segment.head.first)) {
        if (builder.size === size) break;
        // A view of the segment would keep all of it in memory until the bundle is full.
        waiting.push(...builder.append(Buffer.from(line)));
        if (waiting.length >= 2 * MOST_UNDER_WAY) await flush();
      }
      signal?.throwIfAborted();
      if (builder.size === size) break;
    }
    if (builder.size !== size) throw brokenLog(`no segment at leaf ${builder.size}`);
    await flush();
    return written;
  }

  async #write(tiles: readonly Tile[]): Promise<void> {
    const { store, origin } = this.#place;
    await Promise.all(tiles.map(({ path, bytes }) => store.putDerived(logPrefix(origin) + path, bytes)));
  }

  /** Where the tiles that are there end, if they are those of this log. */
  async #found(size: number): Promise<TileStart> {
    const full = await this.#countFull(Math.floor(size / TILE_WIDTH));
    const from = Math.max(0, full - MOST_UNDER_WAY) * TILE_WIDTH;
    if (from === 0) return NO_TILES;
    try {
      const start = await this.#startAt(from);
      return sameRange(new TileBuilder(start).range(), await this.#edgeAt(from)) ? start : NO_TILES;
    } catch (error) {
      if (error instanceof FormatError) return NO_TILES;
      throw error;
    }
  }

  /** Full tiles of level 0 are written in order, so their number is found by halving. */
  async #countFull(most: number): Promise<number> {
    let [there, missing] = [0, most + 1];
    while (missing - there > 1) {
      const middle = Math.floor((there + missing) / 2);
      if ((await this.#read(0, middle - 1)) === null) missing = middle;
      else there = middle;
    }
    return there;
  }

  async #startAt(size: number): Promise<TileStart> {
    const open: Hash[][] = [];
    for (let level = 1; TILE_WIDTH ** level <= size; level += 1) {
      const count = Math.floor(size / TILE_WIDTH ** level);
      const hashes: Hash[] = [];
      for (let index = count - (count % TILE_WIDTH); index < count; index += MOST_UNDER_WAY) {
        const some = Array.from({ length: Math.min(MOST_UNDER_WAY, count - index) }, (_, at) => index + at);
        hashes.push(...(await Promise.all(some.map((one) => this.#rootOfTile(level - 1, one)))));
      }
      open.push(hashes);
    }
    return { size, open };
  }

  async #rootOfTile(level: number, index: number): Promise<Hash> {
    const bytes = await this.#read(level, index);
    if (bytes === null) throw new FormatError('format/tile', `tile ${index} of level ${level}`, 'none');
    return tileRoot(parseTile(bytes, TILE_WIDTH));
  }

  async #read(level: number, index: number): Promise<Uint8Array | null> {
    const { store, origin } = this.#place;
    const found = await store.read(logPrefix(origin) + tilePath({ level, index, width: TILE_WIDTH }));
    return found?.bytes ?? null;
  }

  /** The compact range of a size, as the segment around it says. */
  async #edgeAt(size: number): Promise<CompactRange> {
    const { head, entries } = await segmentHolding(this.#place, size - 1);
    const range = new RangeBuilder(head.edge);
    for (const line of entries.slice(0, size - head.first)) range.appendLeaf(leafHash(line));
    return range.range();
  }
}

function sameRange(a: CompactRange, b: CompactRange): boolean {
  return a.end === b.end && a.hashes.every((hash, index) => hash.equals(b.hashes[index] as Hash));
}
