// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { foldLine } from './fold.ts';
import type { Line, LineRecord, PersonId } from './line.ts';
import { firstIdOf, idToMs, LINES_A_SECOND } from './line-id.ts';
import { bystanders, featuresOf, shownText, wordsOf } from './searchable.ts';
import { RECORD_COLUMNS, recordOf, type Row } from './sqlite-records.ts';

const SQL = {
  lastOf: 'SELECT id FROM line WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1',
  add: "INSERT INTO line VALUES(?, ?, NULL, 'never-captured', ?, 0, 0, 0, ?, ?, ?, '')",
  addFilled: 'INSERT INTO line VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  settle: 'UPDATE line SET settled = ?, conversation = coalesce(?, conversation), at = ? WHERE id = ?',
  placed: 'UPDATE line SET placed = ? WHERE id = ?',
  placedBefore: 'UPDATE line SET placed = ?1 WHERE id = ?2 AND placed > ?1',
  ofSecond: 'SELECT id FROM line WHERE id >= ? AND id < ? ORDER BY id',
  inOrder: 'SELECT id FROM line WHERE id >= ? AND id < ? ORDER BY placed, id',
  place: 'UPDATE line SET conversation = ? WHERE id = ? AND conversation IS NULL',
  fill: 'UPDATE line SET author = ?, kind = ?, edited = ?, deleted = ?, copies = ?, leaf = ?, text = ? WHERE id = ?',
  get: 'SELECT conversation, settled, placed, at FROM line WHERE id = ?',
  drop: 'DELETE FROM line WHERE id = ?',
  moveLine: 'UPDATE line SET id = ? WHERE id = ?',
  moveNames: 'UPDATE named SET line = ? WHERE line = ?',
  moveParts: 'UPDATE OR IGNORE part SET line = ? WHERE line = ?',
  dropParts: 'DELETE FROM part WHERE line = ?',
  part: 'INSERT OR IGNORE INTO part VALUES(?, ?)',
  records: `SELECT ${RECORD_COLUMNS} FROM part p JOIN record r ON r.leaf = p.leaf WHERE p.line = ?`,
  unword: 'DELETE FROM words WHERE rowid = ?',
  word: 'INSERT INTO words(rowid, text, meta) VALUES(?, ?, ?)',
  about: 'SELECT rowid AS id FROM words WHERE words MATCH ?',
  ofConversation: 'SELECT id FROM line WHERE conversation = ?',
  since: 'SELECT id FROM line WHERE conversation = ? AND id >= ? AND id < ?',
  rehome: 'UPDATE line SET conversation = ? WHERE conversation = ?',
  owner: `UPDATE record SET account = ? WHERE account IS NULL AND leaf IN
    (SELECT p.leaf FROM part p JOIN line l ON l.id = p.line WHERE l.conversation = ?)`,
  pair: 'SELECT type, app, a, b FROM conversation WHERE id = ?',
  membersAt: 'SELECT people FROM member WHERE conversation = ? AND at <= ? ORDER BY at DESC, leaf DESC LIMIT 1',
  membersLater: 'SELECT people FROM member WHERE conversation = ? ORDER BY at, leaf LIMIT 1',
} as const;

/** A line whose row is not written yet: it is, once, when it is filled, or when something asks for rows. */
interface Unwritten {
  conversation: number | null;
  atMs: number;
  settled: number;
  readonly leaf: number;
}

/** Beyond all leaves. */
const SPOKEN_OF = 2 ** 52;

/** Where and when a line stands, by the record that makes it. */
interface Place {
  readonly atMs: number;
  readonly conversation: number | null;
  readonly leaf: number;
}

/** Rows of `line` and `words`: lines are made and moved while records come in, and filled when a transaction ends. */
export class LineWriter {
  readonly #sql: Readonly<Record<keyof typeof SQL, StatementSync>>;
  readonly #root: (person: PersonId) => PersonId;
  /** Lines made in this transaction, with all their records. */
  readonly #fresh = new Map<number, LineRecord[]>();
  readonly #dirty = new Set<number>();
  readonly #unwritten = new Map<number, Unwritten>();
  /** Greatest id of an unwritten line, by the first of its second. */
  readonly #given = new Map<number, number>();
  /** Rows of conversations: who they are between never changes but by people becoming one. */
  readonly #pairs = new Map<number, Row>();
  /** Conversations of which nobody has said who is in them. */
  readonly #unlisted = new Set<number>();
  /** Seconds whose lines may be out of their order: only where records come later than they stand in the log. */
  #late: Set<number> | null = null;
  /** Change of the number of lines in this transaction. */
  added = 0;

  constructor(db: DatabaseSync, root: (person: PersonId) => PersonId) {
    this.#root = root;
    const entries = Object.entries(SQL).map(([name, sql]) => {
      const statement = db.prepare(sql);
      // FTS5 leaves row ids of its own beyond 2^53 behind, which throw from the next `run` otherwise.
      statement.setReadBigInts(/^(?:DELETE|UPDATE|INSERT)/.test(sql));
      return [name, statement];
    });
    this.#sql = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
  }

  create(atMs: number, conversation: number | null, leaf: number, settled: boolean): number {
    const id = this.#freeId(atMs);
    this.#unwritten.set(id, { conversation, atMs, settled: settled ? leaf + 1 : 0, leaf });
    this.#late?.add(firstIdOf(idToMs(id)));
    this.#fresh.set(id, []);
    this.#dirty.add(id);
    this.added += 1;
    return id;
  }

  #freeId(atMs: number): number {
    let base = firstIdOf(atMs);
    for (;;) {
      const last = Number(this.#sql.lastOf.get(base, base + LINES_A_SECOND)?.['id'] ?? base - 1);
      const free = Math.max(last, this.#given.get(base) ?? 0) + 1;
      if (free < base + LINES_A_SECOND) {
        this.#given.set(base, free);
        return free;
      }
      base += LINES_A_SECOND;
    }
  }

  /** An id is free again: which ids lines get must not depend on what was written when. */
  #release(id: number): void {
    const base = id - (id % LINES_A_SECOND);
    if (this.#given.get(base) !== id) return;
    this.#given.delete(base);
    for (let before = id - 1; before >= base; before -= 1) {
      if (this.#unwritten.has(before)) return void this.#given.set(base, before);
    }
  }

  #write(id: number): void {
    const row = this.#unwritten.get(id);
    if (row === undefined) return;
    this.#unwritten.delete(id);
    this.#sql.add.run(id, row.conversation, row.atMs, row.settled, row.leaf, row.leaf);
  }

  #writeAll(): void {
    for (const id of [...this.#unwritten.keys()].toSorted((a, b) => a - b)) this.#write(id);
  }

  addPart(line: number, record: LineRecord, changesSearch: boolean): void {
    this.#sql.part.run(line, record.leaf);
    this.#fresh.get(line)?.push(record);
    // The first leaf of a line is said with it, and may be that of a receipt.
    if (changesSearch || this.#late !== null) this.#dirty.add(line);
  }

  /** What makes the line has come: from now on it stands at its own time and place. Returns its id, which may be another. */
  settle(line: number, { atMs, conversation, leaf }: Place): number {
    const settled = this.#unwritten.get(line)?.settled ?? Number(this.#sql.get.get(line)?.['settled']);
    // Of several sightings the first in the log says where it stands.
    if (settled > 0 && settled <= leaf + 1) return line;
    this.#write(line);
    this.#sql.settle.run(leaf + 1, conversation, atMs, line);
    this.#dirty.add(line);
    if (firstIdOf(atMs) === firstIdOf(idToMs(line))) return line;
    const id = this.#freeId(atMs);
    this.#sql.placed.run(leaf, line);
    this.#late?.add(firstIdOf(atMs));
    this.#sql.unword.run(line);
    this.#sql.moveLine.run(id, line);
    this.#release(line);
    this.#movePartsTo(id, line);
    return id;
  }

  /** A line that only receipts spoke of stands nowhere until something says where. */
  place(line: number, conversation: number | null): void {
    const unwritten = this.#unwritten.get(line);
    if (unwritten !== undefined) unwritten.conversation ??= conversation;
    else if (conversation !== null && this.#sql.place.run(conversation, line).changes > 0) this.#dirty.add(line);
  }

  /** Records that come now stand earlier in the log than others that were taken in: {@link flush} puts lines in the order of the log. */
  takeLate(): void {
    this.#late = new Set();
  }

  /** A record that would have put the line where it stands, had it come in its turn. */
  spokenOf(line: number, atMs: number, leaf: number): void {
    const second = firstIdOf(atMs);
    if (this.#late === null || second !== firstIdOf(idToMs(line))) return;
    this.#write(line);
    if (this.#sql.placedBefore.run(leaf, line).changes > 0) this.#late.add(second);
  }

  #putInOrder(second: number): void {
    const span = [second, second + LINES_A_SECOND] as const;
    const ids = this.#sql.ofSecond.all(...span).map(({ id }) => Number(id));
    const wanted = this.#sql.inOrder.all(...span).map(({ id }) => Number(id));
    const moves = wanted.flatMap((from, index) => (from === ids[index] ? [] : [{ from, to: ids[index] as number }]));
    // By ids that no line has: all of them give theirs up first.
    for (const { from } of moves) this.#renumber(from, -from);
    for (const { from, to } of moves) this.#renumber(-from, to);
  }

  #renumber(from: number, to: number): void {
    if (from > 0) this.#sql.unword.run(from);
    this.#sql.moveLine.run(to, from);
    this.#movePartsTo(to, from);
  }

  #movePartsTo(to: number, from: number): void {
    this.#sql.moveNames.run(to, from);
    this.#sql.moveParts.run(to, from);
    this.#sql.dropParts.run(from);
    const fresh = this.#fresh.get(from);
    this.#fresh.delete(from);
    if (fresh !== undefined && !this.#fresh.has(to)) this.#fresh.set(to, fresh);
    this.#dirty.delete(from);
    this.#dirty.add(to);
  }

  /** Two lines turn out to be one. Returns the one that stays: that which was made by its own record, and else was there first. */
  merge(a: number, b: number): number {
    if (a === b) return a;
    this.#write(a);
    this.#write(b);
    const [first, second] = [this.#sql.get.get(a), this.#sql.get.get(b)];
    const rank = (row: Row | undefined): number => Number(row?.['settled']) || SPOKEN_OF + Number(row?.['placed']);
    const keepSecond = rank(second) < rank(first);
    const [kept, gone] = keepSecond ? [b, a] : [a, b];
    this.#fresh.delete(kept);
    this.#fresh.delete(gone);
    this.#sql.unword.run(gone);
    this.#movePartsTo(kept, gone);
    const stood = (keepSecond ? first : second)?.['conversation'];
    this.place(kept, stood === undefined || stood === null ? null : Number(stood));
    this.#sql.drop.run(gone);
    this.#release(gone);
    this.added -= 1;
    return kept;
  }

  remove(line: number): void {
    this.#write(line);
    this.#sql.unword.run(line);
    this.#sql.dropParts.run(line);
    this.#sql.drop.run(line);
    this.#release(line);
    this.#fresh.delete(line);
    this.#dirty.delete(line);
    this.added -= 1;
  }

  mergeConversations(kept: number, gone: number): void {
    this.#writeAll();
    this.#unlisted.clear();
    for (const { id } of this.#sql.ofConversation.all(gone)) this.#dirty.add(Number(id));
    this.#sql.rehome.run(kept, gone);
  }

  /** Somebody turned out to be somebody else: who wrote and who read what they were part of is to be said anew. */
  touchPerson(person: PersonId): void {
    const words = ['s', 't', 'u', 'x'].map((relation) => `"${relation}_${person}"`);
    for (const { id } of this.#sql.about.all(`meta : (${words.join(' OR ')})`)) this.#dirty.add(Number(id));
  }

  /** Whose account it is has become known: what it said before, in clear, was its as well. */
  own(conversation: number, person: PersonId): void {
    this.#writeAll();
    this.#sql.owner.run(person, conversation);
    for (const { id } of this.#sql.ofConversation.all(conversation)) {
      this.#fresh.delete(Number(id));
      this.#dirty.add(Number(id));
    }
  }

  /** Members changed at a time: recipients of what was written until the next change did too; before the first, of all. */
  touch(conversation: number, fromMs: number | null, untilMs: number | null): void {
    this.#unlisted.delete(conversation);
    const from = fromMs === null ? 0 : firstIdOf(fromMs);
    this.#writeAll();
    const until = untilMs === null ? Number.MAX_SAFE_INTEGER : firstIdOf(untilMs) + LINES_A_SECOND;
    for (const { id } of this.#sql.since.all(conversation, from, until)) this.#dirty.add(Number(id));
  }

  /** Folds every line that changed and writes what is searched. In order of ids, as the full-text index wants it. */
  flush(): void {
    if (this.#late !== null) {
      this.#writeAll();
      for (const second of this.#late) this.#putInOrder(second);
      this.#late = null;
    }
    for (const line of [...this.#dirty].toSorted((a, b) => a - b)) this.#fill(line);
    this.#dirty.clear();
    this.#fresh.clear();
    this.#given.clear();
  }

  #fill(id: number): void {
    const fresh = this.#fresh.get(id);
    const records = fresh === undefined ? this.#stored(id) : fresh.map((record) => this.#rooted(record));
    const line = foldLine(records);
    const { author, kind, versions, deleted, capturedBy, leaves } = line;
    const edited = versions.length > 1 || (versions.length === 1 && kind === 'never-captured') ? 1 : 0;
    const text = shownText(line);
    const [gone, copies, leaf] = [deleted === null ? 0 : 1, capturedBy.length, leaves[0] ?? 0];
    const unwritten = this.#unwritten.get(id);
    this.#unwritten.delete(id);
    const row = unwritten ?? (this.#sql.get.get(id) as Row);
    const conversation = row.conversation === null ? null : Number(row.conversation);
    if (unwritten === undefined) {
      this.#sql.fill.run(author, kind, edited, gone, copies, leaf, text, id);
    } else {
      const { atMs, settled, leaf: placed } = unwritten;
      this.#sql.addFilled.run(id, conversation, author, kind, atMs, edited, gone, copies, settled, placed, leaf, text);
    }
    if (fresh === undefined) this.#sql.unword.run(id);
    if (conversation === null) return;
    this.#sql.word.run(id, wordsOf(line), this.#meta(line, conversation, idToMs(id), edited === 1));
  }

  #stored(id: number): LineRecord[] {
    return this.#sql.records.all(id).map((row) => recordOf(row, this.#root));
  }

  #rooted(record: LineRecord): LineRecord {
    const { account, sender } = record;
    return {
      ...record,
      account: account === null ? null : this.#root(account),
      sender: sender === null ? null : this.#root(sender),
    };
  }

  #meta(line: Line, conversation: number, atMs: number, edited: boolean): string {
    let pair = this.#pairs.get(conversation);
    if (pair === undefined) this.#pairs.set(conversation, (pair = this.#sql.pair.get(conversation) as Row));
    const custodians = line.capturedBy.flatMap(({ account }) => account ?? []);
    // What nobody wrote, nobody was written.
    const recipients = new Set(
      line.author === null ? [] : [...custodians, ...this.#addressees(pair, conversation, atMs)],
    );
    if (line.author !== null) recipients.delete(line.author);
    return [
      'all',
      `k_${word(line.kind)}`,
      `p_${word(String(pair['app']))}`,
      `c_${conversation}`,
      `e_${edited ? 'yes' : 'no'}`,
      `d_${line.deleted === null ? 'no' : 'yes'}`,
      ...(line.author === null ? [] : [`s_${line.author}`]),
      ...[...recipients].map((person) => `t_${person}`),
      ...custodians.map((person) => `u_${person}`),
      ...bystanders(line).map((person) => `x_${person}`),
      ...featuresOf(line).map((feature) => `h_${word(feature)}`),
    ].join(' ');
  }

  #addressees(pair: Row, conversation: number, atMs: number): PersonId[] {
    if (pair['type'] === 'direct') return [pair['a'], pair['b']].map((person) => this.#root(Number(person)));
    if (this.#unlisted.has(conversation)) return [];
    const found = this.#sql.membersAt.get(conversation, atMs + 999) ?? this.#sql.membersLater.get(conversation);
    if (found === undefined) {
      this.#unlisted.add(conversation);
      return [];
    }
    return (JSON.parse(String(found['people'])) as PersonId[]).map((person) => this.#root(person));
  }
}

/** A facet's value as one word of the index. */
export function word(value: string): string {
  return value.replaceAll('-', '_');
}
