// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../base/failure.ts';
import { FormatError } from '../../record/format-error.ts';
import { leafOfKey, segmentPrefix } from '../../record/layout.ts';
import { MAX_SEGMENT_BYTES, parseSegment, type Segment } from '../../record/segment.ts';
import { unread } from '../files/archive-files.ts';
import { listed, readWhole, ReaderTrouble, type ArchiveReader } from '../../verify/reader.ts';

interface Place {
  readonly first: number;
  readonly key: string;
  readonly version: string;
  readonly size: number;
}

/** The segments of a log, one at a time, by where they begin. Nothing of them is believed: whoever takes one holds what comes of it against a root. */
export class LogSegments {
  readonly #reader: ArchiveReader;
  readonly #places: readonly Place[];

  private constructor(reader: ArchiveReader, places: readonly Place[]) {
    this.#reader = reader;
    this.#places = places;
  }

  /** Throws `export/archive-unread`. */
  static async open(reader: ArchiveReader, origin: string): Promise<LogSegments> {
    const places = new Map<string, Place>();
    await asked(async () => {
      // Newest first within a key: the last one is the object.
      for await (const { key, size, version, deleteMarker } of listed(reader, segmentPrefix(origin))) {
        if (!deleteMarker) places.set(key, { first: leafOfKey(key), key, version, size });
      }
    });
    return new LogSegments(reader, [...places.values()]);
  }

  /** The segment that begins at a leaf; null if none does. Throws `export/archive-unread`, `export/unproven`. */
  async at(first: number): Promise<Segment | null> {
    const place = this.#places[this.#indexBefore(first)];
    return place?.first === first ? await this.#read(place) : null;
  }

  /** The segment that a leaf stands in, if there is one. Throws as {@link at} does. */
  async holding(leaf: number): Promise<Segment | null> {
    const place = this.#places[this.#indexBefore(leaf)];
    const segment = place === undefined ? null : await this.#read(place);
    return segment !== null && leaf < segment.tail.size ? segment : null;
  }

  /** The last one that begins at or before a leaf. */
  #indexBefore(leaf: number): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#places[middle] as Place).first <= leaf) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  async #read({ key, version, size, first }: Place): Promise<Segment> {
    if (size > MAX_SEGMENT_BYTES) throw unproven(key, `at most ${MAX_SEGMENT_BYTES} bytes`, String(size));
    const bytes = await asked(() => readWhole(this.#reader, key, version, size));
    try {
      const segment = parseSegment(bytes);
      if (segment.head.first === first) return segment;
      throw unproven(key, `a segment from leaf ${first}`, `one from leaf ${segment.head.first}`);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw unproven(key, error.expected, error.got, error);
    }
  }
}

/** What the archive holds does not lead to what the log key signed. */
export function unproven(where: string, expected: string, got: string, cause?: unknown): Failure {
  return new Failure('export/unproven', {
    expected,
    got,
    where,
    fix: 'stop; keep everything as it is; run `holdfast verify`. `--proofs none` exports without',
    ...(cause === undefined ? {} : { cause }),
  });
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw cause instanceof ReaderTrouble ? unread(cause) : cause;
  }
}
