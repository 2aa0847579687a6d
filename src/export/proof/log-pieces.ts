// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ArchiveSource } from '../../prove/archive-source.ts';
import { openCheckpoint } from '../../record/checkpoint.ts';
import { FormatError } from '../../record/format-error.ts';
import { leafHash } from '../../record/hash.ts';
import { checkpointKey, logPrefix } from '../../record/layout.ts';
import { entryLine, LogProof, logProofHead, subtreeLines } from '../../record/log-proof.ts';
import { rangeLevels, RangeBuilder } from '../../record/merkle.ts';
import type { Segment } from '../../record/segment.ts';
import { TileTree } from '../../record/tile-tree.ts';
import { Failure } from '../../base/failure.ts';
import { unproven, type LogSegments } from './log-segments.ts';

/** The state of the log that is proven against. */
export interface LogState {
  readonly origin: string;
  readonly size: number;
  /** Hex. */
  readonly root: string;
}

export interface LogPlace {
  readonly segments: LogSegments;
  readonly source: ArchiveSource;
}

/** The checkpoint of exactly that state, as the log key signed it. Throws `export/no-checkpoint`, `export/unproven`. */
export async function signedCheckpoint({ segments, source }: LogPlace, { size, root }: LogState): Promise<string> {
  const { origin, log } = source.trust;
  const note =
    (await segments.at(size))?.head.checkpoint ?? (await source.readDerived(checkpointKey(origin)))?.toString();
  try {
    const found = note === undefined ? null : openCheckpoint(note, log);
    if (note !== undefined && found?.size === size) {
      if (found.root.toString('hex') === root) return note;
      throw unproven(checkpointKey(origin), `root ${root}`, found.root.toString('hex'));
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw unproven(checkpointKey(origin), error.expected, error.got, error);
  }
  throw new Failure('export/no-checkpoint', {
    expected: `a signed checkpoint of ${size} leaves`,
    got: 'none',
    where: checkpointKey(origin),
    fix: 'start the archiver, which signs what it wrote, and run the command again; or export with `--proofs none`',
  });
}

/**
 * Writes the proof of many entries. Between two of them, hashes come from the segments that are read for the entries anyway; over segments
 * that nothing is shown of, from tiles as far as they reach. One segment and some hashes are in memory.
 */
export class LogPieces {
  readonly #place: LogPlace;
  readonly #state: LogState;
  /** Leaves that published tiles cover. */
  readonly #tiled: number;
  #gap = new RangeBuilder(0);

  constructor(place: LogPlace, state: LogState, tiled: number) {
    this.#place = place;
    this.#state = state;
    this.#tiled = tiled;
  }

  /** The file for these leaves, which ascend. Throws `export/unproven` at its end if it does not lead to the root. */
  async *text(leaves: Float64Array): AsyncGenerator<string> {
    const { origin, size, root } = this.#state;
    const check = new LogProof();
    const checked = (lines: string): string => {
      for (const line of lines.split('\n').slice(0, -1)) check.take(line);
      return lines;
    };
    yield checked(logProofHead(origin, size));
    for (let at = 0; at < leaves.length;) {
      const segment = await this.#place.segments.holding(leaves[at] as number);
      if (segment === null) throw unproven(logPrefix(origin), `leaf ${leaves[at]}`, 'none');
      await this.#skipTo(segment);
      for (const lines of this.#shown(segment, leaves, at)) yield checked(lines);
      while (at < leaves.length && (leaves[at] as number) < segment.tail.size) at += 1;
    }
    await this.#skip(size);
    yield checked(subtreeLines(this.#gap.range()));
    const found = check.root.toString('hex');
    if (found !== root) throw unproven(logPrefix(origin), `root ${root}`, found);
  }

  *#shown({ head, entries, tail }: Segment, leaves: Float64Array, from: number): Generator<string> {
    let at = from;
    for (const [index, bytes] of entries.entries()) {
      const leaf = head.first + index;
      if (leaves[at] !== leaf) {
        this.#gap.appendLeaf(leafHash(bytes));
        continue;
      }
      yield subtreeLines(this.#gap.range()) + entryLine(leaf, bytes.toString('latin1'));
      this.#gap = new RangeBuilder(leaf + 1);
      at += 1;
    }
    if (this.#gap.end !== tail.size) throw new RangeError('a segment whose entries are all there');
  }

  /** Before the first entry that is shown, the segment itself says what the log was. */
  async #skipTo({ head }: Segment): Promise<void> {
    if (this.#gap.begin === 0 && this.#gap.end === 0) this.#gap = new RangeBuilder(head.edge);
    else await this.#skip(head.first);
  }

  async #skip(to: number): Promise<void> {
    const tiled = Math.min(to, this.#tiled);
    // A tree of its own each time: what it remembers does not grow with the log.
    const { source, segments } = this.#place;
    const prefix = logPrefix(this.#state.origin);
    const tree = new TileTree(this.#tiled, (path) => source.readDerived(prefix + path));
    for (const level of this.#gap.end < tiled ? rangeLevels(this.#gap.end, tiled) : []) {
      const begin = this.#gap.end;
      const end = begin + 2 ** level;
      this.#gap.append({ begin, end, hashes: [await tree.node(level, begin / 2 ** level)] });
    }
    while (this.#gap.end < to) {
      const segment = await segments.holding(this.#gap.end);
      if (segment === null) throw unproven(prefix, `leaf ${this.#gap.end}`, 'none');
      for (const bytes of segment.entries.slice(this.#gap.end - segment.head.first)) {
        this.#gap.appendLeaf(leafHash(bytes));
      }
    }
  }
}
