// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { GapRow, Hit, HitPage, PageRequest } from './index-db.ts';
import type { Line, LineKind, PersonId } from './line.ts';
import type { Query, QueryNode } from './query.ts';
import { compileQuery, type CompiledQuery } from './sqlite-compile.ts';
import type { Answering } from './sqlite-answering.ts';
import type { NameReader } from './sqlite-names.ts';
import type { Row } from './sqlite-records.ts';

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

/** A function of SQLite's connection that throws once nobody waits for the answer any more. */
export const STILL_WANTED = 'still_wanted';

/** A number as a part of a statement: SQLite prepares anew, every time, what has a parameter for its limit. */
function whole(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('a whole number');
  return String(value);
}

/** Searches an index. */
export class SearchReader {
  readonly #a: Answering;
  readonly #canGiveUp: boolean;

  /** `canGiveUp`: the connection has the function {@link STILL_WANTED}. */
  constructor(answering: Answering, canGiveUp: boolean) {
    this.#a = answering;
    this.#canGiveUp = canGiveUp;
  }

  search(query: Query, page: PageRequest): HitPage {
    return this.#a.snapshot((state) => {
      const compiled = compileQuery(query.root, this.#a.names);
      const { rows, next } =
        page.order === 'relevance' && compiled.match !== null
          ? this.#byRelevance(compiled, page)
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
    const { from, params } = this.source({ ...compiled, firstId: first, endId: end });
    const id = compiled.match === null ? 'l.id' : 'w.rowid';
    const rows = this.#hits(`SELECT ${HIT} ${from} ORDER BY ${id} ${direction} LIMIT ${whole(limit)}`, params);
    return { rows, next: rows.length < limit ? null : `t${rows.at(-1)?.[0] ?? 0}` };
  }

  #byRelevance(
    compiled: CompiledQuery,
    { limit, after }: PageRequest,
  ): { rows: readonly HitRow[]; next: string | null } {
    const { revision } = this.#a;
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
    const { from, params } = this.source(compiled);
    const order = 'ORDER BY bm25(words, 1.0, 0.0), w.rowid DESC';
    const rows = this.#hits(`SELECT ${HIT} ${from} ${order} LIMIT ${whole(limit)} OFFSET ${whole(offset)}`, params);
    return { rows, next: rows.length < limit ? null : `r${revision}.${offset + rows.length}` };
  }

  count(query: Query): number {
    return this.#a.snapshot(() => this.countOf(query.root));
  }

  /** As {@link count}, inside of a snapshot that is open. */
  countOf(root: QueryNode | null): number {
    const { from, params } = this.source(compileQuery(root, this.#a.names), false);
    return Number(this.#a.prepared(`SELECT count(*) AS n ${from}`).get(...params)?.['n']);
  }

  /** As {@link source}, given up on the way when nobody waits any more. */
  source(compiled: CompiledQuery, withRows = true): { from: string; params: (string | number)[] } {
    const { from, params } = source(compiled, withRows);
    if (!this.#canGiveUp) return { from, params };
    // Asked in every 128th second of the log's time only: a call from SQLite costs more than a row.
    const id = compiled.match === null ? 'l.id' : 'w.rowid';
    return { from: `${from} AND (((${id} >> 14) & 127) OR ${STILL_WANTED}())`, params };
  }

  #hits(sql: string, params: readonly (string | number)[]): readonly HitRow[] {
    return this.#a.prepared(sql, true).all(...params) as unknown as readonly HitRow[];
  }

  #hit([line, conversation, author, kind, at, edited, deleted, copies, leaf, text]: HitRow): Hit {
    return {
      line,
      conversation,
      title: conversation === null ? '' : this.#a.names.title(conversation, at),
      kind,
      atMs: at,
      author: author === null ? null : this.#a.names.named(author, at),
      text,
      edited: edited === 1,
      deleted: deleted === 1,
      copies,
      leaf,
    };
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

/** The ids of all lines that a query means, as a statement of their own. */
export function linesOf(compiled: CompiledQuery): { sql: string; params: (string | number)[] } {
  const { from, params } = source(compiled);
  return { sql: `SELECT l.id ${from}`, params };
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
