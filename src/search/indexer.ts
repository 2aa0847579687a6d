// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import type { KeyId } from '../record/key.ts';
import { segmentPrefix } from '../record/layout.ts';
import type { Manifest } from '../record/manifest.ts';
import type { Trust } from '../record/trust.ts';
import type { ArchiveReader } from '../verify/reader.ts';
import { follow, survey } from './follow.ts';
import type { IndexDb, IndexState } from './index-db.ts';
import { LogCursor, startOf } from './log-cursor.ts';
import { RecordOpener, type ReadSegment } from './open-records.ts';

/** Records that are taken in together while catching up; a reader sees each such step whole. */
const MOST_RECORDS = 20_000;

export interface IndexerParts {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  readonly key: KeyObject;
  readonly kid: KeyId;
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
export class Indexer {
  readonly #parts: IndexerParts;
  readonly #opener: RecordOpener;
  #cursor: LogCursor;

  private constructor(parts: IndexerParts, cursor: LogCursor) {
    this.#parts = parts;
    this.#cursor = cursor;
    this.#opener = new RecordOpener(parts.reader, parts.key, parts.kid);
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

  /** One look at the archive. Resolves when everything that a signed checkpoint covers by then is in the index. */
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

  async #look(signal?: AbortSignal): Promise<IndexState | null> {
    const { reader, trust, db, onProgress } = this.#parts;
    const found = await survey(reader, trust, this.#cursor);
    let named = -1;
    let batch: ReadSegment[] = [];
    let waiting = 0;
    let [records, bytes, packBytes] = [0, 0, 0];
    const commit = async (): Promise<void> => {
      if (batch.length > 0) await db.apply(batch, this.#cursor.position);
      batch = [];
      waiting = 0;
    };
    for await (const segment of follow(reader, trust, this.#cursor, found)) {
      const { manifests } = this.#cursor.position;
      if (manifests.length !== named) {
        named = manifests.length;
        this.#opener.assertNamed([...this.#cursor.manifests(), this.#parts.manifest], segmentPrefix(trust.origin));
      }
      const opened = await this.#opener.open(segment);
      batch.push(opened);
      waiting += opened.records.length;
      records += opened.records.length;
      bytes += segment.segmentBytes;
      packBytes += segment.bytes - segment.segmentBytes;
      if (waiting >= MOST_RECORDS) await commit();
      // Packs are not listed: how much they add shows as they come.
      const share = bytes === 0 ? 1 : (bytes + packBytes) / bytes;
      onProgress?.({ records, bytes: bytes + packBytes, totalBytes: Math.round(found.bytes * share) });
      if (signal?.aborted === true) break;
    }
    await commit();
    return db.state();
  }
}
