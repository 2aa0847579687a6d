// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type {
  Conversation,
  GapRow,
  Hit,
  HitPage,
  IndexState,
  LinePage,
  Named,
  PageRequest,
  ShownLine,
} from './index-db.ts';
import { foldLine } from './fold.ts';
import type { Line, LineKind, PersonId } from './line.ts';
import type { Query } from './query.ts';
import { compileQuery, type CompiledQuery } from './sqlite-compile.ts';
import { NameReader } from './sqlite-names.ts';
import { RECORD_COLUMNS, recordOf, type Row } from './sqlite-records.ts';
import { StateRows } from './sqlite-state.ts';

/** Columns of {@link HIT}, in its order: rows come as arrays, because there are many of them. */
type HitRow = readonly [
  line: number,
  conversation: number | null,
  author: number | null,
  kind: LineKind,
  atMs: number,
  edited: number,
  deleted: number,
  copies: number,
  leaf: number,
  text: string,
];
const HIT = 'l.id, l.conversation, l.author, l.kind, l.at, l.edited, l.deleted, l.copies, l.leaf, l.text';

/** Statements that are kept ready. */
const MOST_STATEMENTS = 200;

/** A number as a part of a statement: SQLite prepares anew, every time, what has a parameter for its limit. */
function whole(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('a whole number');
  return String(value);
}

/** Answers of an index: each from one state of it, which it names. */
export class IndexReader {
  readonly #db: DatabaseSync;
  readonly #names: NameReader;
  readonly #rows: StateRows;
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  #state: IndexState | null = null;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#rows = new StateRows(db);
    this.#begin = db.prepare('BEGIN');
    this.#end = db.prepare('COMMIT');
    this.#names = new NameReader(db);
  }

  /** Everything `read` asks is answered from one snapshot. */
  #snapshot<T>(read: (state: IndexState) => T): T {
    this.#begin.run();
    try {
      const state = this.#rows.read();
      if (state === null) {
        throw new Failure('search/index-missing', {
          expected: 'an index that something was read into',
          got: 'an empty one',
          fix: 'build it: `holdfast read --once`',
        });
      }
      if (state !== this.#state) this.#names.forget();
      this.#state = state;
      return read(state);
    } finally {
      this.#end.run();
    }
  }

  search(query: Query, page: PageRequest): HitPage {
    return this.#snapshot((state) => {
      const compiled = compileQuery(query.root, this.#names);
      const { rows, next } =
        page.order === 'relevance' && compiled.match !== null
          ? this.#byRelevance(compiled, page, state)
          : this.#byTime(compiled, page);
      return { hits: rows.map((row) => this.#hit(row)), next, unmatched: compiled.unmatched, state };
    });
  }

  #byTime(
    compiled: CompiledQuery,
    { order, limit, after }: PageRequest,
  ): { rows: readonly HitRow[]; next: string | null } {
    const isOldest = order === 'oldest';
    const at = after === null ? null : pageNumber(/^t(\d{1,16})$/, after);
    const first = isOldest && at !== null ? Math.max(compiled.firstId, at + 1) : compiled.firstId;
    const end = !isOldest && at !== null ? Math.min(compiled.endId, at) : compiled.endId;
    const direction = isOldest ? 'ASC' : 'DESC';
    const { from, params } = source({ ...compiled, firstId: first, endId: end });
    const id = compiled.match === null ? 'l.id' : 'w.rowid';
    const rows = this.#hits(`SELECT ${HIT} ${from} ORDER BY ${id} ${direction} LIMIT ${whole(limit)}`, params);
    return { rows, next: rows.length < limit ? null : `t${rows.at(-1)?.[0] ?? 0}` };
  }

  #byRelevance(
    compiled: CompiledQuery,
    { limit, after }: PageRequest,
    state: IndexState,
  ): { rows: readonly HitRow[]; next: string | null } {
    const { revision } = state;
    const [seen = revision, offset = 0] =
      after === null ? [] : (/^r(\d{1,15})\.(\d{1,15})$/.exec(after)?.slice(1).map(Number) ?? [-1]);
    if (seen !== revision) {
      throw new Failure('search/page', {
        expected:
          after !== null && seen < 0 ? 'the mark of a next page, as it was given' : 'a page of the index as it is now',
        got: seen < 0 ? 'something else' : 'one of what it was before',
        fix: 'ask for the first page again: what is most relevant changes with every message. By time, pages stay in step',
      });
    }
    const { from, params } = source(compiled);
    const order = 'ORDER BY bm25(words, 1.0, 0.0), w.rowid DESC';
    const rows = this.#hits(`SELECT ${HIT} ${from} ${order} LIMIT ${whole(limit)} OFFSET ${whole(offset)}`, params);
    return { rows, next: rows.length < limit ? null : `r${revision}.${offset + rows.length}` };
  }

  count(query: Query): number {
    return this.#snapshot(() => {
      const compiled = compileQuery(query.root, this.#names);
      const { from, params } = source(compiled, false);
      return Number(this.#prepared(`SELECT count(*) AS n ${from}`).get(...params)?.['n']);
    });
  }

  #hits(sql: string, params: readonly (string | number)[]): readonly HitRow[] {
    return this.#prepared(sql, true).all(...params) as unknown as readonly HitRow[];
  }

  readonly #statements = new Map<string, StatementSync>();

  #prepared(sql: string, asArrays = false): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    statement.setReturnArrays(asArrays);
    const [oldest] = this.#statements.keys();
    // Page sizes and offsets are part of the text, so that there is no end to it.
    if (this.#statements.size >= MOST_STATEMENTS && oldest !== undefined) this.#statements.delete(oldest);
    this.#statements.set(sql, statement);
    return statement;
  }

  #hit([line, conversation, author, kind, at, edited, deleted, copies, leaf, text]: HitRow): Hit {
    return {
      line,
      conversation,
      title: conversation === null ? '' : this.#names.title(conversation, at),
      kind,
      atMs: at,
      author: author === null ? null : this.#names.named(author, at),
      text,
      edited: edited === 1,
      deleted: deleted === 1,
      copies,
      leaf,
    };
  }

  conversations(): Conversation[] {
    return this.#snapshot(() =>
      this.#prepared(
        'SELECT c.id, c.app, c.type, count(*) AS n, min(l.at) AS first, max(l.at) AS last FROM conversation c JOIN line l ON l.conversation = c.id GROUP BY c.id ORDER BY last DESC, c.id',
      )
        .all()
        .map((row) => ({
          id: Number(row['id']),
          app: String(row['app']),
          type: String(row['type']),
          title: this.#names.title(Number(row['id']), Number(row['last'])),
          lines: Number(row['n']),
          firstMs: row['first'] === null ? null : Number(row['first']),
          lastMs: row['last'] === null ? null : Number(row['last']),
        })),
    );
  }

  /** Conversations that a name, title, identifier or `#number` means. */
  conversationsCalled(value: string): number[] {
    return this.#snapshot(() => this.#names.conversations(value));
  }

  lines(conversation: number, { after, limit }: { after: number | null; limit: number }): LinePage {
    return this.#snapshot((state) => {
      const rows = this.#prepared('SELECT id, at FROM line WHERE conversation = ? AND id > ? ORDER BY id LIMIT ?').all(
        conversation,
        after ?? -1,
        limit,
      );
      if (
        rows.length === 0 &&
        this.#prepared('SELECT 1 FROM conversation WHERE id = ?').get(conversation) === undefined
      ) {
        throw new Failure('search/not-found', {
          expected: 'a conversation of this index',
          got: 'none of that number',
          fix: '`holdfast show` without a name lists them',
        });
      }
      const lines = rows.map(({ id, at }) => this.#shown(conversation, Number(id), Number(at)));
      return { lines, next: rows.length < limit ? null : Number(rows.at(-1)?.['id']), state };
    });
  }

  #shown(conversation: number, id: number, atMs: number): ShownLine {
    const records = this.#prepared(
      `SELECT ${RECORD_COLUMNS} FROM part p JOIN record r ON r.leaf = p.leaf WHERE p.line = ?`,
    );
    const line = foldLine(records.all(id).map((row) => recordOf(row, (person) => this.#names.root(person))));
    const people = new Map(peopleOf(line).map((person) => [person, this.#names.named(person, atMs)]));
    return { id, atMs, line, people, members: this.#members(conversation, atMs) };
  }

  #members(conversation: number, atMs: number): Named[] | null {
    const sql = 'SELECT people FROM member WHERE conversation = ? AND at <= ? ORDER BY at DESC, leaf DESC LIMIT 1';
    const row = this.#prepared(sql).get(conversation, atMs);
    if (row === undefined) return null;
    return (JSON.parse(String(row['people'])) as PersonId[]).map((person) => this.#names.named(person, atMs));
  }

  gaps(conversation: number | null): GapRow[] {
    return this.#snapshot(() => {
      const only =
        conversation === null
          ? ''
          : 'AND g.acct IN (SELECT s.acct FROM record r JOIN stream s ON s.stream = r.stream WHERE r.leaf IN (SELECT leaf FROM line WHERE conversation = ?1))';
      const sql = `SELECT g.leaf, g.acct, g.cause, g.scope, g.state, g.since, coalesce(e.until, g.until) AS until, coalesce(e.state, g.state) AS ended,
        (SELECT person FROM stream s WHERE s.acct = g.acct LIMIT 1) AS person, (SELECT app FROM stream s WHERE s.acct = g.acct LIMIT 1) AS app
        FROM gap g LEFT JOIN gap e ON e.ref = g.id AND e.acct = g.acct WHERE g.ref IS NULL ${only} ORDER BY g.leaf`;
      const rows = conversation === null ? this.#prepared(sql).all() : this.#prepared(sql).all(conversation);
      return rows.map((row) => gapOf(row, this.#names));
    });
  }
}

export function gapOf(row: Row, names: NameReader): GapRow {
  const time = (value: unknown): number | null => (value === null ? null : Number(value));
  const [sinceMs, untilMs] = [time(row['since']), time(row['until'])];
  const person = row['person'] ?? null;
  return {
    leaf: Number(row['leaf']),
    app: String(row['app'] ?? ''),
    account: person === null ? null : names.named(Number(person), sinceMs ?? untilMs ?? 0),
    cause: String(row['cause']),
    scope: String(row['scope']),
    state: String(row['ended']) as GapRow['state'],
    sinceMs,
    untilMs,
  };
}

/** Everything between FROM and ORDER BY, with or without the rows of the lines. */
export function source(
  { match, firstId, endId, where }: CompiledQuery,
  withRows = true,
): { from: string; params: (string | number)[] } {
  const id = match === null ? 'l.id' : 'w.rowid';
  const needsRows = withRows || match === null || where !== null;
  const tables = match === null ? 'line l' : needsRows ? 'words w JOIN line l ON l.id = w.rowid' : 'words w';
  const conditions = [
    ...(match === null ? ['l.conversation IS NOT NULL'] : ['words MATCH ?']),
    ...(firstId > 0 ? [`${id} >= ?`] : []),
    ...(endId < Number.MAX_SAFE_INTEGER ? [`${id} < ?`] : []),
    ...(where === null ? [] : [`(${where.sql})`]),
  ];
  const params = [
    ...(match === null ? [] : [match]),
    ...(firstId > 0 ? [firstId] : []),
    ...(endId < Number.MAX_SAFE_INTEGER ? [endId] : []),
    ...(where?.params ?? []),
  ];
  return { from: `FROM ${tables} WHERE ${conditions.join(' AND ')}`, params };
}

function pageNumber(pattern: RegExp, mark: string): number {
  const number = pattern.exec(mark)?.[1];
  if (number !== undefined) return Number(number);
  throw new Failure('search/page', { expected: 'the mark of a next page, as it was given', got: 'something else' });
}

/** Everybody whom a line names. */
export function peopleOf(line: Line): PersonId[] {
  const all = [
    line.author,
    line.deleted?.person,
    ...[...line.reactions, ...line.votes, ...line.receipts, ...line.marks].map(({ person }) => person),
    ...line.capturedBy.map(({ account }) => account),
    ...line.events.flatMap(({ sender, account }) => [sender, account]),
  ];
  return [...new Set(all.filter((person): person is PersonId => typeof person === 'number'))];
}
