// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Party } from '../record/message.ts';
import type { PersonId } from './line.ts';
import { foldedName } from './words.ts';

/** Two numbers turned out to be one person: everything under `gone` is now under `kept`. */
export interface Merge {
  readonly kept: PersonId;
  readonly gone: PersonId;
}

type AliasKind = 'id' | 'number';

/**
 * Who is who within a messenger. One view names somebody by identifier, another by number, a third by both: from then on they are one
 * person. People are never renumbered; a person that was merged points to its root.
 */
export class PeopleWriter {
  readonly #onMerge: (merge: Merge) => void;
  readonly #aliases = new Map<string, PersonId>();
  readonly #roots = new Map<PersonId, PersonId>();
  readonly #names = new Map<PersonId, { readonly at: number; readonly name: string }>();
  readonly #findAlias: StatementSync;
  readonly #addAlias: StatementSync;
  readonly #addPerson: StatementSync;
  readonly #setRoot: StatementSync;
  readonly #nameAt: StatementSync;
  readonly #addName: StatementSync;

  constructor(db: DatabaseSync, onMerge: (merge: Merge) => void) {
    this.#onMerge = onMerge;
    this.#findAlias = db.prepare('SELECT person FROM alias WHERE app = ? AND kind = ? AND value = ?');
    this.#addAlias = db.prepare('INSERT INTO alias VALUES(?, ?, ?, ?)');
    this.#addPerson = db.prepare(
      'INSERT INTO person SELECT coalesce(max(id), 0) + 1, ?, coalesce(max(id), 0) + 1 FROM person RETURNING id',
    );
    this.#setRoot = db.prepare('UPDATE person SET root = ? WHERE root = ?');
    this.#nameAt = db.prepare(
      `SELECT name FROM name WHERE person IN (SELECT id FROM person WHERE root = ?) AND at <= ? ORDER BY at DESC, name LIMIT 1`,
    );
    this.#addName = db.prepare('INSERT OR IGNORE INTO name VALUES(?, ?, ?, ?)');
    for (const { id, root } of db.prepare('SELECT id, root FROM person WHERE id <> root').all()) {
      this.#roots.set(Number(id), Number(root));
    }
  }

  root(person: PersonId): PersonId {
    return this.#roots.get(person) ?? person;
  }

  /** The person a party is; null if it says nothing that tells. A name is in force from `atMs` on. */
  resolve(app: string, party: Party | null, atMs: number): PersonId | null {
    if (party === null || typeof party !== 'object') return null;
    const byId = this.#find(app, 'id', party.id);
    const byNumber = this.#find(app, 'number', party.number);
    const isNamed = isText(party.id) || isText(party.number);
    if (!isNamed) return null;
    if (byId !== null && byNumber !== null && byId !== byNumber) this.#merge(byId, byNumber);
    const person = this.root(byId ?? byNumber ?? this.#create(app));
    if (byId === null && isText(party.id)) this.#learn(app, 'id', party.id, person);
    if (byNumber === null && isText(party.number)) this.#learn(app, 'number', party.number, person);
    if (isText(party.name)) this.#rename(person, party.name, atMs);
    return person;
  }

  #find(app: string, kind: AliasKind, value: unknown): PersonId | null {
    if (!isText(value)) return null;
    const key = `${app} ${kind} ${value}`;
    const cached = this.#aliases.get(key);
    if (cached !== undefined) return this.root(cached);
    const person = this.#findAlias.get(app, kind, value)?.['person'];
    if (person === undefined) return null;
    this.#aliases.set(key, Number(person));
    return this.root(Number(person));
  }

  #create(app: string): PersonId {
    return Number(this.#addPerson.get(app)?.['id']);
  }

  #learn(app: string, kind: AliasKind, value: string, person: PersonId): void {
    this.#addAlias.run(app, kind, value, person);
    this.#aliases.set(`${app} ${kind} ${value}`, person);
  }

  #merge(a: PersonId, b: PersonId): void {
    const [kept, gone] = [Math.min(a, b), Math.max(a, b)];
    this.#setRoot.run(kept, gone);
    for (const [person, root] of this.#roots) if (root === gone) this.#roots.set(person, kept);
    this.#roots.set(gone, kept);
    this.#names.delete(kept);
    this.#onMerge({ kept, gone });
  }

  #rename(person: PersonId, name: string, atMs: number): void {
    const newest = this.#names.get(person);
    if (newest !== undefined && newest.at <= atMs && newest.name === name) return;
    if (this.#nameAt.get(person, atMs)?.['name'] !== name) this.#addName.run(person, atMs, name, foldedName(name));
    if (newest === undefined || newest.at <= atMs) this.#names.set(person, { at: atMs, name });
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
