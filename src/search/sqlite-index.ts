// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type { ActsDb } from './acts-db.ts';
import type { RepackEntry } from '../record/entry-types.ts';
import type {
  AwaitedRecord,
  Conversation,
  FoundFile,
  FoundLine,
  GapRow,
  HitPage,
  IndexDb,
  IndexState,
  LinePage,
  LineRequest,
  PageRequest,
  PeoplePage,
} from './index-db.ts';
import type { LogPosition } from './log-cursor.ts';
import type { ReadRecord, ReadSegment } from './open-records.ts';
import type { Query } from './query.ts';
import type { FacetRequest, Facets } from './facets.ts';
import { AwaitedRows } from './sqlite-awaited.ts';
import { ActsReader } from './sqlite-acts-reader.ts';
import { Answering } from './sqlite-answering.ts';
import { BrowseReader } from './sqlite-browse.ts';
import { FacetReader } from './sqlite-facets.ts';
import { SearchReader, STILL_WANTED } from './sqlite-reader.ts';
import { closeIndex, openForReading, openForWriting, prepareDirectory } from './sqlite-schema.ts';
import { StateRows } from './sqlite-state.ts';
import { RecordWriter } from './sqlite-writer.ts';

/** The index in one SQLite file (FTS5), in a directory that only its owner may enter. */
export class SqliteIndex implements IndexDb {
  readonly #db: DatabaseSync;
  readonly acts: ActsDb;
  readonly #search: SearchReader;
  readonly #browse: BrowseReader;
  readonly #facets: FacetReader;
  readonly #state: StateRows;
  readonly #awaited: AwaitedRows;
  #writer: RecordWriter | null;

  private constructor(db: DatabaseSync, writes: boolean, stillWanted: (() => boolean) | null = null) {
    this.#db = db;
    this.acts = new ActsReader(db);
    if (stillWanted !== null) db.function(STILL_WANTED, { directOnly: true }, () => giveUpUnless(stillWanted));
    const answering = new Answering(db);
    this.#search = new SearchReader(answering, stillWanted !== null);
    this.#browse = new BrowseReader(answering);
    this.#facets = new FacetReader(answering, this.#search);
    this.#state = new StateRows(db);
    this.#awaited = new AwaitedRows(db);
    this.#writer = writes ? new RecordWriter(db) : null;
  }

  /** For the one process that writes. Throws `search/index-exposed`, `search/index-in-use`. */
  static openForWriting(directory: string, { rebuild = false } = {}): SqliteIndex {
    return new SqliteIndex(openForWriting(directory, rebuild), true);
  }

  /**
   * For any process that reads. Throws `search/index-missing`, `search/index-exposed`. `stillWanted` is asked now and then while a
   * search runs, which throws `search/given-up` once it says no.
   */
  static openForReading(directory: string, stillWanted: (() => boolean) | null = null): SqliteIndex {
    const db = openForReading(directory);
    prepareDirectory(directory);
    return new SqliteIndex(db, false, stillWanted);
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
      let [records, unreadable, awaited] = [before?.records ?? 0, before?.unreadable ?? 0, before?.awaited ?? 0];
      writer.lines.added = 0;
      for (const segment of segments) {
        for (const record of segment.records) {
          writer.take(record);
          records += 1;
          if (record.defect !== null) unreadable += 1;
          if (record.awaits !== undefined) awaited += 1;
          if (record.awaits !== undefined) this.#awaited.add(record.leaf, segment.first, record.awaits);
        }
        for (const hold of segment.holds ?? []) writer.acts.addHold(hold);
        for (const ceremony of segment.ceremonies ?? []) writer.acts.addCeremony(ceremony);
        for (const pack of segment.packs ?? []) writer.acts.addPack(pack);
        for (const repack of segment.repacks ?? []) this.#awaited.addRepack(repack);
      }
      writer.lines.flush();
      const lines = (before?.lines ?? 0) + writer.lines.added;
      this.#state.write({ position, records, lines, unreadable, awaited });
      this.#db.exec('COMMIT');
    } catch (error) {
      throw this.#undone(error);
    }
  }

  #undone(error: unknown): unknown {
    this.#db.exec('ROLLBACK');
    // What it remembers of people and lines is of a transaction that never was.
    this.#writer = new RecordWriter(this.#db);
    return error;
  }

  async awaited(): Promise<AwaitedRecord[]> {
    return this.#awaited.all();
  }

  async repacks(): Promise<RepackEntry[]> {
    return this.#awaited.repacks();
  }

  async mend(records: readonly ReadRecord[]): Promise<void> {
    const [writer, before] = [this.#writer, this.#state.read()];
    if (writer === null || before === null) throw new RangeError('opened for reading, or empty');
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      let [unreadable, awaited] = [before.unreadable, before.awaited];
      writer.lines.added = 0;
      writer.lines.takeLate();
      for (const record of records) {
        if (record.awaits !== undefined || !this.#awaited.drop(record.leaf)) continue;
        writer.forget(record.leaf);
        writer.take(record);
        awaited -= 1;
        if (record.defect === null) unreadable -= 1;
      }
      writer.lines.flush();
      const lines = before.lines + writer.lines.added;
      this.#state.write({ ...before, lines, unreadable, awaited });
      this.#db.exec('COMMIT');
    } catch (error) {
      throw this.#undone(error);
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
    return this.#search.search(query, page);
  }

  async count(query: Query): Promise<number> {
    return this.#search.count(query);
  }

  async facets(query: Query, request: FacetRequest): Promise<Facets> {
    return this.#facets.facets(query, request);
  }

  async conversations(): Promise<Conversation[]> {
    return this.#browse.conversations();
  }

  async conversationsCalled(value: string): Promise<number[]> {
    return this.#browse.conversationsCalled(value);
  }

  async conversation(id: number): Promise<Conversation> {
    return this.#browse.conversation(id);
  }

  async line(leaf: number): Promise<FoundLine> {
    return this.#browse.line(leaf);
  }

  async file(leaf: number): Promise<FoundFile> {
    return this.#browse.file(leaf);
  }

  async people(page: { after: number | null; limit: number }): Promise<PeoplePage> {
    return this.#browse.people(page);
  }

  async lines(conversation: number, page: LineRequest): Promise<LinePage> {
    return this.#browse.lines(conversation, page);
  }

  async gaps(conversation: number | null): Promise<GapRow[]> {
    return this.#browse.gaps(conversation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeIndex(this.#db);
  }
}

function giveUpUnless(stillWanted: () => boolean): number {
  if (stillWanted()) return 1;
  throw new Failure('search/given-up', { expected: 'somebody who waits for the answer', got: 'nobody' });
}
