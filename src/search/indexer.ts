// SPDX-License-Identifier: AGPL-3.0-or-later
import { availableParallelism } from 'node:os';
import { Failure } from '../base/failure.ts';
import { segmentPrefix } from '../record/layout.ts';
import type { Manifest } from '../record/manifest.ts';
import type { Trust } from '../record/trust.ts';
import type { ArchiveReader } from '../verify/reader.ts';
import { follow, survey, type FollowedSegment } from './follow.ts';
import type { IndexDb, IndexState } from './index-db.ts';
import { LogCursor, startOf, type LogPosition } from './log-cursor.ts';
import { Mender } from './mend.ts';
import { RecordOpener, type ReaderKeys, type ReadSegment } from './open-records.ts';

/** Records that are taken in together while catching up; a reader sees each such step whole. */
const MOST_RECORDS = 8000;
/** Records that are being opened ahead of those: as much as a step and a segment, so that no thread waits while a step is taken in. */
const MOST_AHEAD = 12_000;
/** They have packs in memory until they are open: small ones are many, and large ones are few. */
const MOST_SEGMENTS_AHEAD = 64;

/** One core takes in what the others open. */
const THREADS = Math.min(4, Math.max(1, availableParallelism() - 1));

/** A segment that is being opened, and where the log stands behind it. */
interface Opening {
  readonly segment: Promise<ReadSegment>;
  readonly leaves: number;
  readonly position: LogPosition;
}

export interface IndexerParts extends ReaderKeys {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  /** The manifest in force as this reader got it: it may name the key before the log comes to that. */
  readonly manifest: Manifest;
  readonly db: IndexDb;
  readonly onProgress?: (progress: IndexProgress) => void;
}

export interface IndexProgress {
  readonly records: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Brings an index up to where the log is: verifies what came, opens it, takes it in. Derived from the archive alone. */
export class Indexer implements AsyncDisposable {
  readonly #parts: IndexerParts;
  readonly #opener: RecordOpener;
  readonly #mender: Mender;
  #cursor: LogCursor;
  /** Manifests that were looked through for the key. */
  #named = -1;

  private constructor(parts: IndexerParts, cursor: LogCursor) {
    this.#parts = parts;
    this.#cursor = cursor;
    this.#opener = new RecordOpener(parts.reader, parts, THREADS);
    this.#mender = new Mender(parts.reader, parts.trust.origin, this.#opener);
  }

  /** Throws `search/index-other` for an index of another log. */
  static async open(parts: IndexerParts): Promise<Indexer> {
    const state = await parts.db.state();
    const { origin } = parts.trust;
    if (state !== null && state.position.origin !== origin) {
      throw new Failure('search/index-other', {
        expected: `an index of ${origin}`,
        got: `one of ${state.position.origin}`,
        fix: 'name another directory, or build it again: `holdfast read --rebuild`',
      });
    }
    return new Indexer(parts, new LogCursor(parts.trust, state?.position ?? startOf(origin)));
  }

  /**
   * One look at the archive. Resolves when everything that a signed checkpoint covers by then is in the index, and what waited for
   * bytes that have come meanwhile is read.
   */
  async catchUp(signal?: AbortSignal): Promise<IndexState | null> {
    try {
      return await this.#look(signal);
    } catch (error) {
      // Where it stands is what the index holds, not how far this look came.
      const { db, trust } = this.#parts;
      this.#cursor = new LogCursor(trust, (await db.state())?.position ?? startOf(trust.origin));
      throw error;
    }
  }

  /** Starts opening a segment. Whoever takes it hears of what went wrong; until then it must not count as unhandled. */
  #open(segment: FollowedSegment, leavesAhead: number): Opening {
    const opened = this.#opener.open(segment, leavesAhead);
    opened.catch(() => undefined);
    const { first, end } = segment.verified;
    return { segment: opened, leaves: end - first, position: this.#cursor.position };
  }

  #assertNamed(): void {
    const { manifests } = this.#cursor.position;
    if (manifests.length === this.#named) return;
    const { manifest, trust } = this.#parts;
    this.#opener.assertNamed([...this.#cursor.manifests(), manifest], segmentPrefix(trust.origin));
    this.#named = manifests.length;
  }

  async #look(signal?: AbortSignal): Promise<IndexState | null> {
    const { reader, trust, db, onProgress } = this.#parts;
    const found = await survey(reader, trust, this.#cursor);
    let batch: ReadSegment[] = [];
    let [waiting, records, bytes, packBytes] = [0, 0, 0, 0];
    let position = this.#cursor.position;
    const commit = async (): Promise<void> => {
      if (batch.length > 0) await db.apply(batch, position);
      batch = [];
      waiting = 0;
    };
    const take = async (opening: Opening): Promise<void> => {
      const segment = await opening.segment;
      batch.push(segment);
      ({ position } = opening);
      waiting += segment.records.length;
      records += segment.records.length;
      if (waiting >= MOST_RECORDS) await commit();
      // Packs are not listed: how much they add shows as they come.
      const share = bytes === 0 ? 1 : (bytes + packBytes) / bytes;
      onProgress?.({ records, bytes: bytes + packBytes, totalBytes: Math.round(found.bytes * share) });
    };
    const ahead: Opening[] = [];
    let leavesAhead = 0;
    for await (const segment of follow(reader, trust, this.#cursor, found)) {
      this.#assertNamed();
      bytes += segment.segmentBytes;
      packBytes += segment.bytes - segment.segmentBytes;
      const opening = this.#open(segment, leavesAhead);
      ahead.push(opening);
      leavesAhead += opening.leaves;
      while (leavesAhead > MOST_AHEAD || ahead.length > MOST_SEGMENTS_AHEAD) {
        const oldest = ahead.shift() as Opening;
        leavesAhead -= oldest.leaves;
        await take(oldest);
      }
      if (signal?.aborted === true) break;
    }
    for (const opening of ahead) await take(opening);
    await commit();
    if (signal?.aborted !== true) await this.#mender.look(db);
    return db.state();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opener[Symbol.asyncDispose]();
  }
}
