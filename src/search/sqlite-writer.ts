// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { fromSeconds } from '../record/period.ts';
import type { GapEntry } from '../record/entry-types.ts';
import type { View } from '../record/message.ts';
import type { LineRecord, PersonId } from './line.ts';
import { membershipIn, partiesIn } from './membership.ts';
import type { ReadRecord } from './open-records.ts';
import { changesSearch, placementOf, type LineName } from './placement.ts';
import { ActWriter } from './sqlite-acts.ts';
import { ConversationWriter } from './sqlite-conversations.ts';
import { LineWriter } from './sqlite-lines.ts';
import { PeopleWriter, type Merge } from './sqlite-people.ts';
import type { Row } from './sqlite-records.ts';

/** A server's clock may be ahead of a connector's by this much; what claims to be later is from whoever set it. */
const MOST_AHEAD_MS = 300_000;

const SQL = {
  addStream: 'INSERT OR IGNORE INTO stream VALUES(?, ?, ?, ?, NULL)',
  stream: 'SELECT acct, app, role, person FROM stream WHERE stream = ?',
  owner: 'UPDATE stream SET person = ? WHERE acct = ?',
  addRecord: 'INSERT INTO record VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  dropRecord: 'DELETE FROM record WHERE leaf = ?',
  dropGap: 'DELETE FROM gap WHERE leaf = ?',
  line: 'SELECT line FROM named WHERE name = ?',
  name: 'INSERT INTO named VALUES(?, ?)',
  namesOf: 'SELECT name, line FROM named WHERE name >= ? AND name < ?',
  rename: 'UPDATE named SET name = ? WHERE name = ?',
  unname: 'DELETE FROM named WHERE name = ?',
  addGap: 'INSERT INTO gap VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)',
  membersBefore: 'SELECT 1 FROM member WHERE conversation = ? AND at < ? LIMIT 1',
  membersAfter: 'SELECT min(at) AS at FROM member WHERE conversation = ? AND at > ?',
} as const;

interface StreamRow {
  readonly acct: string;
  readonly app: string;
  person: PersonId | null;
}

/** Takes records in, one after the other in the order of the log, within a transaction of the caller's. */
export class RecordWriter {
  readonly lines: LineWriter;
  readonly #people: PeopleWriter;
  readonly #conversations: ConversationWriter;
  readonly acts: ActWriter;
  readonly #streams = new Map<string, StreamRow>();
  readonly #sql: Readonly<Record<keyof typeof SQL, StatementSync>>;

  constructor(db: DatabaseSync) {
    this.#people = new PeopleWriter(db, (merge) => this.#onMerge(merge));
    this.#conversations = new ConversationWriter(db, this.#people);
    this.acts = new ActWriter(db);
    this.lines = new LineWriter(db, (person) => this.#people.root(person));
    const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
    this.#sql = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
    for (const name of ['unname', 'rename', 'owner', 'addRecord', 'dropRecord', 'dropGap'] as const)
      this.#sql[name].setReadBigInts(true);
  }

  take(read: ReadRecord): void {
    // What readers did is no line of a conversation. One that cannot be read is, so that it shows.
    if (read.type === 'access' && read.defect === null) {
      if (read.act !== undefined) this.acts.take(read.act, read.leaf);
      return;
    }
    if (read.clear?.t === 'open') {
      const { stream, acct, app, role } = read.clear;
      this.#sql.addStream.run(stream, acct, app, role);
      this.#streams.delete(stream);
    }
    const stream = this.#stream(read.stream);
    const { view, atMs, leaf } = read;
    if (view !== null) this.#learn(view, leaf, atMs);
    const account = view === null ? stream.person : this.#account(view, stream, atMs);
    const sender = view === null ? null : this.#people.resolve(view.app, view.sender, atMs);
    const own = view === null ? null : this.#conversations.of(view, account, atMs);
    const record: LineRecord = { ...read, account, sender, clear: read.clear, defect: read.defect };
    this.#store(read, record, own);
    if (read.clear?.t === 'gap') this.#gap(read.clear, read, stream);
    if (view !== null && own !== null) this.#members(view, own, { atMs, leaf });
    this.#place(record, own ?? this.#conversations.ofAccount(stream.acct, stream.app), own);
  }

  /** Takes back a record that could not be read: it stands in a line of its own. */
  forget(leaf: number): void {
    const name = `0.${leafName(leaf).rest}`;
    const line = this.#lineNamed(name);
    if (line !== null) {
      this.#sql.unname.run(name);
      this.lines.remove(line);
    }
    this.#sql.dropRecord.run(leaf);
    this.#sql.dropGap.run(leaf);
  }

  /** Everybody a view names, first of all: what merges people must not happen while names and places are being looked up. */
  #learn(view: View, leaf: number, atMs: number): void {
    const { app, account, sender } = view;
    for (const party of [account, sender, ...partiesIn(view)]) this.#people.resolve(app, party, atMs);
    for (const { author } of placementOf(view, leaf).targets) this.#people.resolve(app, author, atMs);
    this.#conversations.learn(view, atMs);
  }

  #stream(id: string): StreamRow {
    const cached = this.#streams.get(id);
    if (cached !== undefined) return cached;
    const row = this.#sql.stream.get(id);
    // A log whose stream has no `open` is broken, and the log key signed it: shown under the stream itself.
    const person = row?.['person'] ?? null;
    const stream = {
      acct: String(row?.['acct'] ?? id),
      app: String(row?.['app'] ?? 'holdfast'),
      person: person === null ? null : Number(person),
    };
    this.#streams.set(id, stream);
    return stream;
  }

  #account(view: View, stream: StreamRow, atMs: number): PersonId | null {
    const account = this.#people.resolve(view.app, view.account, atMs);
    if (account !== null && stream.person !== account) {
      this.#sql.owner.run(account, stream.acct);
      if (stream.person === null) this.lines.own(this.#conversations.ofAccount(stream.acct, stream.app), account);
      stream.person = account;
    }
    return account;
  }

  #store(
    { leaf, id, stream, atMs, defect, view, viewText, clear, objects }: ReadRecord,
    record: LineRecord,
    own: number | null,
  ): void {
    this.#sql.addRecord.run(
      leaf,
      id,
      stream,
      atMs,
      record.account,
      record.sender,
      own,
      defect,
      view === null ? null : (viewText ?? JSON.stringify(view)),
      clear === null ? null : JSON.stringify(clear),
      objects === undefined ? null : objects.join(' '),
    );
  }

  #gap(gap: GapEntry, { leaf, id }: ReadRecord, { acct }: StreamRow): void {
    const time = (at: string | undefined): number | null => (at === undefined ? null : fromSeconds(at));
    const { cause, scope, state, ref = null } = gap;
    this.#sql.addGap.run(leaf, id, acct, cause, scope, state, time(gap.from), time(gap.to), ref);
  }

  #members(view: View, conversation: number, at: { atMs: number; leaf: number }): void {
    const news = membershipIn(view);
    if (news === null || !this.#conversations.learnMembers(conversation, view, news, at)) return;
    const isFirst = this.#sql.membersBefore.get(conversation, at.atMs) === undefined;
    const later = this.#sql.membersAfter.get(conversation, at.atMs)?.['at'] ?? null;
    this.lines.touch(conversation, isFirst ? null : at.atMs, later === null ? null : Number(later));
  }

  #place(record: LineRecord, conversation: number, own: number | null): void {
    const { view, leaf } = record;
    const placement = view === null ? { own: leafName(leaf), alias: null, targets: [] } : placementOf(view, leaf);
    const matters = view === null || changesSearch(view);
    if (placement.own !== null) {
      const name = this.#nameOf(placement.own, view);
      const atMs = timeOf(record);
      const found = this.#lineNamed(name);
      const line =
        found === null
          ? this.lines.create(atMs, conversation, leaf, true)
          : this.lines.settle(found, { atMs, conversation, leaf });
      if (found === null) this.#sql.name.run(name, line);
      else this.lines.spokenOf(line, atMs, leaf);
      this.lines.addPart(line, record, true);
    }
    for (const target of new Set(placement.targets.map((one) => this.#nameOf(one, view)))) {
      const atMs = targetTime(target, record);
      let line = this.#lineNamed(target);
      if (line === null) {
        line = this.lines.create(atMs, matters ? conversation : own, leaf, false);
        this.#sql.name.run(target, line);
      } else {
        if (matters) this.lines.place(line, own);
        this.lines.spokenOf(line, atMs, leaf);
      }
      this.lines.addPart(line, record, matters);
      if (placement.alias !== null) this.#alias(this.#nameOf(placement.alias, view), line);
    }
  }

  #lineNamed(name: string): number | null {
    const line = this.#sql.line.get(name)?.['line'];
    return line === undefined ? null : Number(line);
  }

  /** Another name of a line; whatever stood under that name was about the same message. */
  #alias(name: string, line: number): void {
    const other = this.#lineNamed(name);
    if (other === null) this.#sql.name.run(name, line);
    else this.lines.merge(line, other);
  }

  #nameOf({ author, rest }: LineName, view: View | null): string {
    const person =
      author === null || view === null ? null : this.#people.resolve(view.app, { ...author, name: null }, 0);
    return `${person ?? 0}.${rest}`;
  }

  #onMerge(merge: Merge): void {
    this.lines.touchPerson(merge.gone);
    for (const stream of this.#streams.values()) if (stream.person === merge.gone) stream.person = merge.kept;
    for (const { kept, gone } of this.#conversations.merge(merge)) this.lines.mergeConversations(kept, gone);
    // `/` is the character behind `.`: all names of one author.
    const rows: Row[] = this.#sql.namesOf.all(`${merge.gone}.`, `${merge.gone}/`);
    for (const { name, line } of rows) {
      const renamed = `${merge.kept}${String(name).slice(String(name).indexOf('.'))}`;
      const current = this.#lineNamed(String(name)) ?? Number(line);
      const there = this.#lineNamed(renamed);
      if (there === null) this.#sql.rename.run(renamed, String(name));
      else {
        this.#sql.unname.run(String(name));
        this.lines.merge(there, current);
      }
    }
  }
}

const leafName = (leaf: number): LineName => ({ author: null, rest: `leaf.${leaf}` });

/** When it happened, by the clock that is hardest to bend: the server's, then the author's if it is not ahead, then the capture's. */
function timeOf({ view, atMs }: LineRecord): number {
  const sane = (time: number | null | undefined): boolean =>
    typeof time === 'number' && Number.isSafeInteger(time) && time > 0 && time <= atMs + MOST_AHEAD_MS;
  if (view === null) return atMs;
  if (sane(view.serverAtMs)) return view.serverAtMs as number;
  return sane(view.sentAtMs) ? (view.sentAtMs as number) : atMs;
}

/** Until the message itself comes: its author's time where the name is one, else that of what speaks of it. */
function targetTime(name: string, record: LineRecord): number {
  const sentAtMs = Number(/\.t(\d{1,15})$/.exec(name)?.[1] ?? Number.NaN);
  return sentAtMs > 0 && sentAtMs <= record.atMs + MOST_AHEAD_MS ? sentAtMs : timeOf(record);
}
