// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { foldLine } from './fold.ts';
import type { GapRow, IndexState, Named } from './index-db.ts';
import type { LineKind, LineRecord, PersonId } from './line.ts';
import type { Query } from './query.ts';
import type { ConversationFacts, IndexSnapshot, OutlineLine, PlacedLine, StoredLine } from './snapshot.ts';
import { compileQuery } from './sqlite-compile.ts';
import { NameReader } from './sqlite-names.ts';
import { gapOf, peopleOf, source } from './sqlite-reader.ts';
import { RECORD_COLUMNS, recordOf } from './sqlite-records.ts';
import { closeIndex, openForReading, prepareDirectory } from './sqlite-schema.ts';
import { StateRows } from './sqlite-state.ts';

/** Lines whose records are fetched with one statement. */
const LINES_AT_ONCE = 64;

const SQL = {
  facts: 'SELECT app, type, native, a, b FROM conversation WHERE id = ?',
  outline: 'SELECT id, at, kind, leaf FROM line WHERE conversation = ? ORDER BY at, leaf, id',
  line: 'SELECT id, at FROM line WHERE id = ? AND conversation = ?',
  records: `SELECT p.line AS line, ${RECORD_COLUMNS} FROM part p JOIN record r ON r.leaf = p.leaf
    WHERE p.line IN (${Array.from({ length: LINES_AT_ONCE }, () => '?').join(',')})`,
  members: 'SELECT people FROM member WHERE conversation = ? AND at <= ? ORDER BY at DESC, leaf DESC LIMIT 1',
  hasMembers: 'SELECT 1 FROM member WHERE conversation = ? LIMIT 1',
  placed: `SELECT r.id AS record, l.id AS line, l.conversation AS conversation
    FROM part p JOIN record r ON r.leaf = p.leaf JOIN line l ON l.id = p.line WHERE l.conversation IS NOT NULL ORDER BY r.leaf`,
  accounts: `SELECT DISTINCT s.acct FROM line l JOIN record r ON r.leaf = l.leaf JOIN stream s ON s.stream = r.stream WHERE l.conversation = ?`,
  gaps: `SELECT g.leaf, g.cause, g.scope, g.since, g.acct, coalesce(e.until, g.until) AS until, coalesce(e.state, g.state) AS ended,
    (SELECT person FROM stream s WHERE s.acct = g.acct LIMIT 1) AS person, (SELECT app FROM stream s WHERE s.acct = g.acct LIMIT 1) AS app
    FROM gap g LEFT JOIN gap e ON e.ref = g.id AND e.acct = g.acct WHERE g.ref IS NULL AND g.acct = ? ORDER BY g.leaf`,
} as const;

/** A read transaction of its own connection, for as long as it is not disposed of. Meanwhile the index's log file is not shortened. */
export class SqliteSnapshot implements IndexSnapshot {
  readonly state: IndexState;
  readonly #db: DatabaseSync;
  readonly #names: NameReader;
  readonly #sql: Readonly<Record<keyof typeof SQL, StatementSync>>;
  /** Conversations whose members anybody told. */
  readonly #listed = new Map<number, boolean>();
  readonly #members = new Map<string, readonly PersonId[]>();

  private constructor(db: DatabaseSync, state: IndexState) {
    this.#db = db;
    this.state = state;
    this.#names = new NameReader(db);
    const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
    this.#sql = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
  }

  /** Throws `search/index-missing`, `search/index-exposed`. */
  static open(directory: string): SqliteSnapshot {
    const db = openForReading(directory);
    try {
      prepareDirectory(directory);
      db.exec('BEGIN');
      // The transaction begins with its first question.
      const state = new StateRows(db).read();
      if (state !== null) return new SqliteSnapshot(db, state);
    } catch (error) {
      closeIndex(db);
      throw error;
    }
    closeIndex(db);
    throw new Failure('search/index-missing', {
      expected: 'an index that something was read into',
      got: 'an empty one',
      fix: 'build it: `holdfast read --once`',
    });
  }

  async matching({ root }: Query): Promise<{ lines: PlacedLine[]; unmatched: readonly string[] }> {
    const compiled = compileQuery(root, this.#names);
    const { from, params } = source(compiled);
    const statement = this.#db.prepare(`SELECT l.id, l.conversation ${from}`);
    statement.setReturnArrays(true);
    const rows = statement.iterate(...params) as Iterable<unknown> as Iterable<readonly [number, number | null]>;
    const lines: PlacedLine[] = [];
    for (const [line, conversation] of rows) if (conversation !== null) lines.push({ line, conversation });
    return { lines, unmatched: compiled.unmatched };
  }

  async ofRecords(ids: ReadonlySet<string>): Promise<Map<string, PlacedLine>> {
    const found = new Map<string, PlacedLine>();
    for (const { record, line, conversation } of this.#sql.placed.iterate()) {
      const id = String(record);
      if (ids.has(id) && !found.has(id)) found.set(id, { line: Number(line), conversation: Number(conversation) });
    }
    return found;
  }

  async conversationsCalled(value: string): Promise<readonly number[]> {
    return this.#names.conversations(value);
  }

  async conversation(id: number): Promise<ConversationFacts | null> {
    const row = this.#sql.facts.get(id);
    if (row === undefined) return null;
    const [type, native] = [String(row['type']), row['native']];
    const people = type === 'direct' ? [row['a'], row['b']] : [];
    return {
      id,
      app: String(row['app']),
      type,
      native: native === null || native === undefined ? null : String(native),
      pair: people.flatMap((person) =>
        person === null ? [] : this.#names.named(Number(person), Number.MAX_SAFE_INTEGER),
      ),
    };
  }

  title(conversation: number, atMs: number): string {
    return this.#names.title(conversation, atMs);
  }

  custodianOf({ number, id }: Named, atMs: number): string | null {
    return this.#names.directory.custodianOf([number, id], atMs);
  }

  async outline(conversation: number): Promise<OutlineLine[]> {
    return this.#sql.outline.all(conversation).map(({ id, at, kind, leaf }) => ({
      id: Number(id),
      atMs: Number(at),
      kind: String(kind) as LineKind,
      leaf: Number(leaf),
    }));
  }

  async lines(conversation: number, ids: readonly number[]): Promise<StoredLine[]> {
    const found: StoredLine[] = [];
    for (let at = 0; at < ids.length; at += LINES_AT_ONCE) {
      const some = ids.slice(at, at + LINES_AT_ONCE);
      const records = this.#records(some);
      for (const id of some) found.push(this.#stored(conversation, id, records.get(id) ?? []));
    }
    return found;
  }

  #records(ids: readonly number[]): Map<number, LineRecord[]> {
    // Statements have a fixed number of places; null equals nothing.
    const places: SQLInputValue[] = Array.from({ length: LINES_AT_ONCE }, (_, index) => ids[index] ?? null);
    const records = new Map<number, LineRecord[]>();
    for (const row of this.#sql.records.all(...places)) {
      const record = recordOf(row, (person) => this.#names.root(person));
      const line = Number(row['line']);
      const known = records.get(line);
      if (known === undefined) records.set(line, [record]);
      else known.push(record);
    }
    return records;
  }

  #stored(conversation: number, id: number, records: readonly LineRecord[]): StoredLine {
    const row = this.#sql.line.get(id, conversation);
    if (row === undefined) throw new RangeError('a line of this conversation');
    const atMs = Number(row['at']);
    const sorted = records.toSorted((a, b) => a.leaf - b.leaf);
    const line = foldLine(sorted);
    const people = new Map(peopleOf(line).map((person) => [person, this.#names.named(person, atMs)]));
    const [members, custodians] = [this.#membersAt(conversation, atMs), this.#names.custodiansOf(line, atMs)];
    return { shown: { id, atMs, line, people, members, custodians }, records: sorted };
  }

  #membersAt(conversation: number, atMs: number): Named[] | null {
    let isListed = this.#listed.get(conversation);
    if (isListed === undefined) {
      isListed = this.#sql.hasMembers.get(conversation) !== undefined;
      this.#listed.set(conversation, isListed);
    }
    if (!isListed) return null;
    const text = this.#sql.members.get(conversation, atMs)?.['people'];
    if (typeof text !== 'string') return null;
    let people = this.#members.get(text);
    if (people === undefined) {
      people = JSON.parse(text) as PersonId[];
      this.#members.clear();
      this.#members.set(text, people);
    }
    return people.map((person) => this.#names.named(person, atMs));
  }

  async gaps(conversations: readonly number[]): Promise<GapRow[]> {
    const accounts = new Set(
      conversations.flatMap((one) => this.#sql.accounts.all(one).map(({ acct }) => String(acct))),
    );
    const rows = [...accounts].toSorted().flatMap((acct) => this.#sql.gaps.all(acct));
    return rows.map((row) => gapOf(row, this.#names)).toSorted((a, b) => a.leaf - b.leaf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#db.exec('COMMIT');
    closeIndex(this.#db);
  }
}
