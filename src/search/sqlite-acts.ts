// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Act, Deed, Target } from '../access/act.ts';
import { sha256Hex } from '../record/hash.ts';
import { approvalText } from '../record/hold.ts';
import type { VerifiedEntry } from './log-cursor.ts';
import type { LoggedHold, PackRange } from './open-records.ts';
import { foldedName } from './words.ts';

/*
 * act: every act, each once. standing: the latest word on each thing that readers decide about, under a name of that thing; a word that
 * takes something back stays, so that an earlier one which comes later does not count. pack: which pack holds which leaves.
 */
export const ACT_TABLES = `
CREATE TABLE act(id TEXT PRIMARY KEY, leaf INTEGER NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL, deed TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX act_at ON act(at, id);
CREATE TABLE shown(leaf INTEGER, act TEXT, PRIMARY KEY(leaf, act)) WITHOUT ROWID;
CREATE TABLE standing(thing TEXT PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL, matter TEXT, tag TEXT, what TEXT, a INTEGER, b INTEGER, stands INTEGER NOT NULL, deed TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX standing_name ON standing(name, matter);
CREATE TABLE pack(first INTEGER, end INTEGER, hash TEXT, PRIMARY KEY(first, hash)) WITHOUT ROWID;
CREATE TABLE logged_hold(leaf INTEGER PRIMARY KEY, hold TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, reference TEXT NOT NULL, signed TEXT NOT NULL, officers TEXT NOT NULL);
CREATE TABLE held(hold TEXT, kind TEXT, hash TEXT, PRIMARY KEY(hold, kind, hash)) WITHOUT ROWID;
CREATE TABLE ceremony(leaf INTEGER PRIMARY KEY, id TEXT NOT NULL, line TEXT NOT NULL);
CREATE INDEX part_leaf ON part(leaf);
`;

const SQL = {
  add: 'INSERT OR IGNORE INTO act VALUES(?, ?, ?, ?, ?, ?, ?)',
  show: 'INSERT OR IGNORE INTO shown VALUES(?, ?)',
  stand: `INSERT INTO standing VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(thing) DO UPDATE SET
    id = excluded.id, at = excluded.at, user = excluded.user, name = excluded.name, matter = excluded.matter, tag = excluded.tag,
    what = excluded.what, a = excluded.a, b = excluded.b, stands = excluded.stands, deed = excluded.deed
    WHERE excluded.at > standing.at OR (excluded.at = standing.at AND excluded.id > standing.id)`,
  hold: 'INSERT OR IGNORE INTO logged_hold VALUES(?, ?, ?, ?, ?, ?, ?)',
  held: 'INSERT OR IGNORE INTO held VALUES(?, ?, ?)',
  ceremony: 'INSERT OR IGNORE INTO ceremony VALUES(?, ?, ?)',
  pack: 'INSERT OR IGNORE INTO pack VALUES(?, ?, ?)',
} as const;

/** Takes acts in, within a transaction of the caller's. */
export class ActWriter {
  readonly #sql: Readonly<Record<keyof typeof SQL, StatementSync>>;

  constructor(db: DatabaseSync) {
    const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
    this.#sql = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
  }

  take({ id, atMs, by, deed }: Act, leaf: number): void {
    const text = JSON.stringify(deed);
    const { changes } = this.#sql.add.run(id, leaf, atMs, JSON.stringify(by), by.user, deed.act, text);
    if (Number(changes) === 0) return;
    for (const shown of leavesIn(deed)) this.#sql.show.run(shown, id);
    const thing = thingOf(deed, id);
    if (thing === null) return;
    const {
      matter = null,
      tag = null,
      target = null,
    } = deed as { matter?: string; tag?: string; target?: Target | null };
    const [a, b] = endsOf(target);
    const what = target?.what ?? null;
    this.#sql.stand.run(thing, id, atMs, by.user, deed.act, matter, tag, what, a, b, stands(deed) ? 1 : 0, text);
  }

  addHold({ leaf, entry, packs, media }: LoggedHold): void {
    const officers = JSON.stringify(entry.by.map(({ key }) => key));
    const signed = sha256Hex(approvalText(entry));
    this.#sql.hold.run(leaf, entry.hold, entry.state, Date.parse(entry.at), entry.matter, signed, officers);
    for (const hash of packs) this.#sql.held.run(entry.hold, 'pack', hash);
    for (const hash of media) this.#sql.held.run(entry.hold, 'media', hash);
  }

  addCeremony({ leaf, id, line }: VerifiedEntry): void {
    this.#sql.ceremony.run(leaf, id, line);
  }

  addPack({ hash, first, end }: PackRange): void {
    this.#sql.pack.run(first, end, hash);
  }
}

/** Messages that an act is about. */
function leavesIn(deed: Deed): number[] {
  switch (deed.act) {
    case 'search':
      return deed.shown;
    case 'view':
    case 'file':
      return deed.leaf === null ? [] : [deed.leaf];
    case 'tag':
    case 'note':
      return endsOf(deed.target).filter((leaf) => leaf !== null);
    default:
      return [];
  }
}

function endsOf(target: Target | null): [number | null, number | null] {
  if (target === null) return [null, null];
  return target.what === 'range' ? [target.from, target.to] : [target.leaf, null];
}

/** What a deed is the latest word on; null for looks, which decide nothing. */
function thingOf(deed: Deed, id: string): string | null {
  switch (deed.act) {
    case 'matter':
      return `matter ${deed.matter}`;
    case 'custodian':
      return `custodian ${deed.matter} ${foldedName(deed.custodian)}`;
    case 'saved-search':
      return `search ${deed.matter} ${foldedName(deed.name)}`;
    case 'tag':
      return `tag ${deed.matter} ${deed.tag} ${deed.target.what} ${endsOf(deed.target).join(' ')}`;
    case 'note':
      return `note ${id}`;
    case 'hold':
      return `hold ${deed.hold}`;
    case 'directory':
      return `directory ${deed.version} ${deed.part}`;
    default:
      return null;
  }
}

function stands(deed: Deed): boolean {
  if (deed.act === 'saved-search') return deed.query !== null;
  return 'on' in deed ? deed.on : true;
}
