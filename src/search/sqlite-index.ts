// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type { Conversation, GapRow, HitPage, IndexDb, IndexState, LinePage, PageRequest } from './index-db.ts';
import type { LogPosition } from './log-cursor.ts';
import type { ReadSegment } from './open-records.ts';
import type { Query } from './query.ts';
import { IndexReader } from './sqlite-reader.ts';
import { closeIndex, openForReading, openForWriting, prepareDirectory } from './sqlite-schema.ts';
import { StateRows } from './sqlite-state.ts';
import { RecordWriter } from './sqlite-writer.ts';

/** The index in one SQLite file (FTS5), in a directory that only its owner may enter. */
export class SqliteIndex implements IndexDb {
  readonly #db: DatabaseSync;
  readonly #reader: IndexReader;
  readonly #state: StateRows;
  #writer: RecordWriter | null;

  private constructor(db: DatabaseSync, writes: boolean) {
    this.#db = db;
    this.#reader = new IndexReader(db);
    this.#state = new StateRows(db);
    this.#writer = writes ? new RecordWriter(db) : null;
  }

  /** For the one process that writes. Throws `search/index-exposed`, `search/index-in-use`. */
  static openForWriting(directory: string, { rebuild = false } = {}): SqliteIndex {
    return new SqliteIndex(openForWriting(directory, rebuild), true);
  }

  /** For any process that reads. Throws `search/index-missing`, `search/index-exposed`. */
  static openForReading(directory: string): SqliteIndex {
    const db = openForReading(directory);
    prepareDirectory(directory);
    return new SqliteIndex(db, false);
  }

  async state(): Promise<IndexState | null> {
    return this.#state.read();
  }

  async apply(segments: readonly ReadSegment[], position: LogPosition): Promise<void> {
    const writer = this.#writer;
    if (writer === null) throw new RangeError('opened for reading');
    const before = this.#state.read();
    this.#assertFollows(before, segments, position);
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      let [records, unreadable] = [before?.records ?? 0, before?.unreadable ?? 0];
      writer.lines.added = 0;
      for (const segment of segments) {
        for (const record of segment.records) {
          writer.take(record);
          records += 1;
          if (record.defect !== null) unreadable += 1;
        }
      }
      writer.lines.flush();
      this.#state.write({ position, records, lines: (before?.lines ?? 0) + writer.lines.added, unreadable });
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      // What it remembers of people and lines is of a transaction that never was.
      this.#writer = new RecordWriter(this.#db);
      throw error;
    }
  }

  #assertFollows(before: IndexState | null, segments: readonly ReadSegment[], position: LogPosition): void {
    let at = before?.position.size ?? 0;
    const isOther = before !== null && before.position.origin !== position.origin;
    const follows = segments.every(({ first, end }) => {
      const isNext = first === at;
      at = end;
      return isNext;
    });
    if (follows && at === position.size && !isOther) return;
    throw new Failure('search/index-order', {
      expected: `segments of ${before?.position.origin ?? position.origin} from leaf ${before?.position.size ?? 0} on`,
      got: isOther ? 'those of another log' : `segments from leaf ${segments[0]?.first ?? at} to ${at}`,
      fix: 'build the index again: `holdfast read --rebuild`',
    });
  }

  async search(query: Query, page: PageRequest): Promise<HitPage> {
    return this.#reader.search(query, page);
  }

  async count(query: Query): Promise<number> {
    return this.#reader.count(query);
  }

  async conversations(): Promise<Conversation[]> {
    return this.#reader.conversations();
  }

  async conversationsCalled(value: string): Promise<number[]> {
    return this.#reader.conversationsCalled(value);
  }

  async lines(conversation: number, page: { after: number | null; limit: number }): Promise<LinePage> {
    return this.#reader.lines(conversation, page);
  }

  async gaps(conversation: number | null): Promise<GapRow[]> {
    return this.#reader.gaps(conversation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeIndex(this.#db);
  }
}
