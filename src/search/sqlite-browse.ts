// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { View } from '../record/message.ts';
import { foldLine } from './fold.ts';
import type {
  Conversation,
  FoundFile,
  FoundLine,
  GapRow,
  LinePage,
  LineRequest,
  Named,
  PeoplePage,
  ShownLine,
} from './index-db.ts';
import type { PersonId } from './line.ts';
import type { Answering } from './sqlite-answering.ts';
import { gapOf, peopleOf } from './sqlite-reader.ts';
import { RECORD_COLUMNS, recordOf, type Row } from './sqlite-records.ts';

/** Ids of lines are time: what counts and bounds are needs no row of a line. */
const CONVERSATIONS = `SELECT c.id, c.app, c.type, x.n, f.at AS first, t.at AS last
  FROM (SELECT conversation, count(*) AS n, min(id) AS a, max(id) AS z FROM line WHERE conversation IS NOT NULL GROUP BY conversation) x
  JOIN conversation c ON c.id = x.conversation JOIN line f ON f.id = x.a JOIN line t ON t.id = x.z`;
const CONVERSATION = `SELECT c.id, c.app, c.type, count(l.id) AS n, min(l.at) AS first, max(l.at) AS last
  FROM conversation c LEFT JOIN line l ON l.conversation = c.id WHERE c.id = ? GROUP BY c.id`;
const LINE_OF =
  'SELECT l.id, l.at, l.conversation FROM part p JOIN line l ON l.id = p.line WHERE p.leaf = ? ORDER BY l.id LIMIT 1';

/** Conversations, lines, people and files of an index. */
export class BrowseReader {
  readonly #a: Answering;

  constructor(answering: Answering) {
    this.#a = answering;
  }

  conversations(): Conversation[] {
    return this.#a.snapshot(() => {
      const rows = this.#a.prepared(`${CONVERSATIONS} ORDER BY last DESC, c.id`).all();
      return rows.map((row) => this.#conversation(row));
    });
  }

  conversation(id: number): Conversation {
    return this.#a.snapshot(() => this.#conversationOf(id));
  }

  #conversationOf(id: number): Conversation {
    const row = this.#a.prepared(CONVERSATION).get(id);
    if (row === undefined) throw notFound('a conversation of this index', 'none of that number');
    return this.#conversation(row);
  }

  #conversation(row: Row): Conversation {
    const time = (value: unknown): number | null => (value === null ? null : Number(value));
    const [id, firstMs, lastMs] = [Number(row['id']), time(row['first']), time(row['last'])];
    const title = this.#a.names.title(id, lastMs ?? 0);
    return { id, app: String(row['app']), type: String(row['type']), title, lines: Number(row['n']), firstMs, lastMs };
  }

  /** Conversations that a name, title, identifier or `#number` means. */
  conversationsCalled(value: string): number[] {
    return this.#a.snapshot(() => this.#a.names.conversations(value));
  }

  lines(conversation: number, { after, before, limit }: LineRequest): LinePage {
    return this.#a.snapshot((state) => {
      const rows =
        before === undefined
          ? this.#a
              .prepared('SELECT id, at FROM line WHERE conversation = ? AND id > ? ORDER BY id LIMIT ?')
              .all(conversation, after ?? -1, limit)
          : this.#a
              .prepared('SELECT id, at FROM line WHERE conversation = ? AND id < ? ORDER BY id DESC LIMIT ?')
              .all(conversation, before, limit);
      if (rows.length === 0) this.#conversationOf(conversation);
      const next = rows.length < limit ? null : Number(rows.at(-1)?.['id']);
      const inOrder = before === undefined ? rows : rows.toReversed();
      const lines = inOrder.map(({ id, at }) => this.#shown(conversation, Number(id), Number(at)));
      return { lines, next, state };
    });
  }

  line(leaf: number): FoundLine {
    return this.#a.snapshot((state) => {
      const row = this.#a.prepared(LINE_OF).get(leaf);
      if (row === undefined) throw notFound('the leaf of a record in this index', 'another number');
      const conversation = row['conversation'] === null ? null : Number(row['conversation']);
      return {
        conversation: conversation === null ? null : this.#conversationOf(conversation),
        shown: this.#shown(conversation, Number(row['id']), Number(row['at'])),
        state,
      };
    });
  }

  file(leaf: number): FoundFile {
    return this.#a.snapshot(() => {
      const row = this.#a.prepared('SELECT id, view FROM record WHERE leaf = ?').get(leaf);
      const view = typeof row?.['view'] === 'string' ? (JSON.parse(row['view']) as View) : null;
      if (view?.kind !== 'attachment') {
        throw notFound('the leaf of a record that holds the key of a file', 'another number');
      }
      return { attachment: view.attachment, object: view.object, id: String(row?.['id']) };
    });
  }

  people({ after, limit }: { after: number | null; limit: number }): PeoplePage {
    return this.#a.snapshot((state) => {
      const sql = 'SELECT id, app FROM person WHERE id = root AND id > ? ORDER BY id LIMIT ?';
      const rows = this.#a.prepared(sql).all(after ?? 0, limit);
      const people = rows.map(({ id, app }) => {
        const person = Number(id);
        const latest = this.#a.names.named(person, Number.MAX_SAFE_INTEGER);
        return { ...latest, app: String(app), names: this.#a.names.allNames(person) };
      });
      return { people, next: rows.length < limit ? null : Number(rows.at(-1)?.['id']), state };
    });
  }

  #shown(conversation: number | null, id: number, atMs: number): ShownLine {
    const records = this.#a.prepared(
      `SELECT ${RECORD_COLUMNS} FROM part p JOIN record r ON r.leaf = p.leaf WHERE p.line = ?`,
    );
    const line = foldLine(records.all(id).map((row) => recordOf(row, (person) => this.#a.names.root(person))));
    const people = new Map(peopleOf(line).map((person) => [person, this.#a.names.named(person, atMs)]));
    const custodians = this.#a.names.custodiansOf(line, atMs);
    const members = conversation === null ? null : this.#members(conversation, atMs);
    return { id, atMs, line, people, members, custodians };
  }

  #members(conversation: number, atMs: number): Named[] | null {
    const sql = 'SELECT people FROM member WHERE conversation = ? AND at <= ? ORDER BY at DESC, leaf DESC LIMIT 1';
    const row = this.#a.prepared(sql).get(conversation, atMs);
    if (row === undefined) return null;
    return (JSON.parse(String(row['people'])) as PersonId[]).map((person) => this.#a.names.named(person, atMs));
  }

  gaps(conversation: number | null): GapRow[] {
    return this.#a.snapshot(() => {
      const only =
        conversation === null
          ? ''
          : 'AND g.acct IN (SELECT s.acct FROM record r JOIN stream s ON s.stream = r.stream WHERE r.leaf IN (SELECT leaf FROM line WHERE conversation = ?1))';
      const sql = `SELECT g.leaf, g.acct, g.cause, g.scope, g.state, g.since, coalesce(e.until, g.until) AS until, coalesce(e.state, g.state) AS ended,
        (SELECT person FROM stream s WHERE s.acct = g.acct LIMIT 1) AS person, (SELECT app FROM stream s WHERE s.acct = g.acct LIMIT 1) AS app
        FROM gap g LEFT JOIN gap e ON e.ref = g.id AND e.acct = g.acct WHERE g.ref IS NULL ${only} ORDER BY g.leaf`;
      const rows = conversation === null ? this.#a.prepared(sql).all() : this.#a.prepared(sql).all(conversation);
      return rows.map((row) => gapOf(row, this.#a.names));
    });
  }
}

function notFound(expected: string, got: string): Failure {
  return new Failure('search/not-found', {
    expected,
    got,
    fix: '`holdfast show` without a name lists the conversations',
  });
}
