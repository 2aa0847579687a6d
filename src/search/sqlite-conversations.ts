// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Chat, View } from '../record/message.ts';
import type { PersonId } from './line.ts';
import { titleIn, type MembershipNews } from './membership.ts';
import type { Merge, PeopleWriter } from './sqlite-people.ts';
import { foldedName } from './words.ts';

const NUMBER = /^\+\d{5,}$/;

/**
 * Where a view stands. A direct conversation is named by its two people, so that both sides' accounts fill the same one; what
 * belongs to no conversation stands in one of the account's own.
 */
export class ConversationWriter {
  readonly #people: PeopleWriter;
  readonly #ids = new Map<string, number>();
  readonly #titles = new Map<number, { readonly at: number; readonly name: string }>();
  readonly #sql: Readonly<
    Record<'find' | 'add' | 'titleAt' | 'addTitle' | 'ofPerson' | 'rekey' | 'drop', StatementSync>
  >;
  readonly #members: Readonly<Record<'at' | 'add', StatementSync>>;

  constructor(db: DatabaseSync, people: PeopleWriter) {
    this.#people = people;
    this.#sql = {
      find: db.prepare('SELECT id FROM conversation WHERE key = ?'),
      add: db.prepare(
        'INSERT INTO conversation SELECT coalesce(max(id), 0) + 1, ?, ?, ?, ?, ?, ? FROM conversation RETURNING id',
      ),
      titleAt: db.prepare('SELECT name FROM title WHERE conversation = ? AND at <= ? ORDER BY at DESC, name LIMIT 1'),
      addTitle: db.prepare('INSERT OR IGNORE INTO title VALUES(?, ?, ?, ?)'),
      ofPerson: db.prepare(
        'SELECT id, app, a, b FROM conversation WHERE a = ?1 UNION SELECT id, app, a, b FROM conversation WHERE b = ?1',
      ),
      rekey: db.prepare('UPDATE conversation SET key = ?, a = ?, b = ? WHERE id = ?'),
      drop: db.prepare('DELETE FROM conversation WHERE id = ?'),
    };
    this.#members = {
      at: db.prepare(
        'SELECT people FROM member WHERE conversation = ? AND at <= ? ORDER BY at DESC, leaf DESC LIMIT 1',
      ),
      add: db.prepare('INSERT OR REPLACE INTO member VALUES(?, ?, ?, ?)'),
    };
  }

  /** Null where the view itself does not tell. */
  of(view: View, account: PersonId | null, atMs: number): number | null {
    const { chat, app } = view;
    if (chat === null || typeof chat !== 'object') return null;
    if (chat.type === 'self') {
      return account === null ? null : this.#conversation({ key: `${app} self ${account}`, app, chat, a: account });
    }
    if (typeof chat.id !== 'string' || chat.id === '') return null;
    if (chat.type === 'direct') return this.#direct(view, chat, account, atMs);
    if (chat.type === 'unknown') return null;
    const id = this.#conversation({ key: `${app} ${chat.type} ${chat.id}`, app, chat });
    const title = titleIn(view);
    if (title !== null) this.#retitle(id, title, atMs);
    return id;
  }

  ofAccount(acct: string, app: string): number {
    return this.#conversation({ key: `account ${acct}`, app, chat: { type: 'account', id: acct } });
  }

  /** The other one of a direct conversation. */
  learn({ chat, app }: View, atMs: number): PersonId | null {
    if (chat?.type !== 'direct' || typeof chat.id !== 'string') return null;
    const party = NUMBER.test(chat.id) ? { id: null, number: chat.id } : { id: chat.id };
    return this.#people.resolve(app, { ...party, name: chat.name ?? null }, atMs);
  }

  #direct(view: View, chat: Chat, account: PersonId | null, atMs: number): number | null {
    const other = this.learn(view, atMs);
    if (account === null || other === null) return null;
    return this.#conversation({ ...directKey(view.app, account, other), app: view.app, chat });
  }

  #conversation(parts: {
    key: string;
    app: string;
    chat: { readonly type: string; readonly id: string | null };
    a?: PersonId;
    b?: PersonId;
  }): number {
    const { key, app, chat, a = null, b = null } = parts;
    const cached = this.#ids.get(key);
    if (cached !== undefined) return cached;
    const found = this.#sql.find.get(key) ?? this.#sql.add.get(key, app, chat.type, chat.id, a, b);
    const id = Number(found?.['id']);
    this.#ids.set(key, id);
    return id;
  }

  #retitle(conversation: number, name: string, atMs: number): void {
    const newest = this.#titles.get(conversation);
    if (newest !== undefined && newest.at <= atMs && newest.name === name) return;
    if (this.#sql.titleAt.get(conversation, atMs)?.['name'] !== name) {
      this.#sql.addTitle.run(conversation, atMs, name, foldedName(name));
    }
    if (newest === undefined || newest.at <= atMs) this.#titles.set(conversation, { at: atMs, name });
  }

  /** Conversations that turn out to be one: pairs of the one that stays and the one that goes. */
  merge({ kept, gone }: Merge): { kept: number; gone: number }[] {
    const merged: { kept: number; gone: number }[] = [];
    for (const row of this.#sql.ofPerson.all(gone)) {
      const [id, a, b] = [Number(row['id']), Number(row['a']), row['b'] === null ? null : Number(row['b'])];
      if (b === null) {
        merged.push(...this.#rename(id, `${String(row['app'])} self ${kept}`, kept, null));
        continue;
      }
      const { key, a: first, b: second } = directKey(String(row['app']), a === gone ? kept : a, b === gone ? kept : b);
      merged.push(...this.#rename(id, key, first, second));
    }
    this.#ids.clear();
    return merged;
  }

  #rename(id: number, key: string, a: PersonId, b: PersonId | null): { kept: number; gone: number }[] {
    const there = this.#sql.find.get(key)?.['id'];
    if (there === undefined) {
      this.#sql.rekey.run(key, a, b, id);
      return [];
    }
    this.#sql.drop.run(id);
    return [{ kept: Number(there), gone: id }];
  }

  /** Records who is in a group from `atMs` on; false if it changes nothing. */
  learnMembers(conversation: number, view: View, news: MembershipNews, at: { atMs: number; leaf: number }): boolean {
    const resolve = (parties: Parameters<PeopleWriter['resolve']>[1][]): number[] =>
      parties.flatMap((party) => this.#people.resolve(view.app, party, at.atMs) ?? []);
    const row = this.#members.at.get(conversation, at.atMs)?.['people'];
    const before = row === undefined ? null : (JSON.parse(String(row)) as number[]);
    let now: Set<number>;
    if ('all' in news) now = new Set(resolve([...news.all]));
    else if (before === null) return false;
    else now = new Set([...before, ...resolve([...news.came])]).difference(new Set(resolve([...news.went])));
    const people = JSON.stringify([...now].toSorted((a, b) => a - b));
    if (people === row) return false;
    this.#members.add.run(conversation, at.atMs, at.leaf, people);
    return true;
  }
}

function directKey(app: string, one: PersonId, other: PersonId): { key: string; a: PersonId; b: PersonId } {
  const [a, b] = [Math.min(one, other), Math.max(one, other)];
  return { key: `${app} direct ${a} ${b}`, a, b };
}
