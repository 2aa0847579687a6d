// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Named } from './index-db.ts';
import type { Line, PersonId } from './line.ts';
import type { CustodianSpan, NameLookup } from './sqlite-compile.ts';
import { DirectoryReader } from './sqlite-directory.ts';
import { isConversationNumber } from './query.ts';
import { foldedName } from './words.ts';

interface NameAt {
  readonly at: number;
  readonly name: string;
}

interface Person {
  /** The one answer there is, whatever the time, for somebody with one name or none. */
  readonly always: Named | null;
  readonly names: readonly NameAt[];
  readonly number: string | null;
  readonly id: string | null;
}

const SQL = {
  root: 'SELECT root FROM person WHERE id = ?',
  names: 'SELECT at, name FROM name WHERE person IN (SELECT id FROM person WHERE root = ?) ORDER BY at, name',
  aliases: 'SELECT kind, value FROM alias WHERE person IN (SELECT id FROM person WHERE root = ?) ORDER BY kind, value',
  titles: 'SELECT at, name FROM title WHERE conversation = ? ORDER BY at, name',
  conversation: 'SELECT id, type, app, native, a, b FROM conversation WHERE id = ?',
  owner: 'SELECT person FROM stream WHERE acct = ? AND person IS NOT NULL LIMIT 1',
  byAlias: 'SELECT root FROM alias JOIN person ON person.id = alias.person WHERE value = ? OR value = ?',
  byName:
    "SELECT DISTINCT root FROM name JOIN person ON person.id = name.person WHERE ' ' || folded || ' ' LIKE ? ESCAPE '!'",
  group: 'SELECT id FROM person WHERE root = ?',
  byTitle: "SELECT DISTINCT conversation FROM title WHERE ' ' || folded || ' ' LIKE ? ESCAPE '!'",
  byNative: 'SELECT id FROM conversation WHERE native = ?',
  matters: "SELECT matter, deed FROM standing WHERE name = 'matter'",
  saved: "SELECT matter, deed FROM standing WHERE name = 'saved-search' AND stands = 1 ORDER BY at, id",
  ofPair: "SELECT id FROM conversation WHERE type IN ('direct', 'self') AND (a = ?1 OR b = ?1)",
} as const;

/** Names as of any time, and what the names in a query mean. Remembers until told that the index has grown. */
export class NameReader implements NameLookup {
  readonly #sql: Readonly<Record<keyof typeof SQL, StatementSync>>;
  readonly #people = new Map<PersonId, Person>();
  readonly #roots = new Map<PersonId, PersonId>();
  readonly #titles = new Map<number, readonly NameAt[]>();
  readonly directory: DirectoryReader;

  constructor(db: DatabaseSync) {
    const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
    this.#sql = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
    this.directory = new DirectoryReader(db);
  }

  forget(): void {
    this.#people.clear();
    this.#roots.clear();
    this.#titles.clear();
    this.directory.forget();
  }

  root(person: PersonId): PersonId {
    let root = this.#roots.get(person);
    if (root === undefined) {
      root = Number(this.#sql.root.get(person)?.['root'] ?? person);
      this.#roots.set(person, root);
    }
    return root;
  }

  /** The person under the name in force at `atMs`; before the first name, that one, for want of any other. */
  named(person: PersonId, atMs: number): Named {
    const root = this.root(person);
    let known = this.#people.get(root);
    if (known?.always !== undefined && known.always !== null) return known.always;
    if (known === undefined) {
      const names = this.#sql.names.all(root).map(({ at, name }) => ({ at: Number(at), name: String(name) }));
      const aliases = this.#sql.aliases.all(root);
      const alias = (kind: string): string | null => {
        const found = aliases.find((one) => one['kind'] === kind)?.['value'];
        return found === undefined ? null : String(found);
      };
      const [number, id] = [alias('number'), alias('id')];
      const always = names.length > 1 ? null : { person: root, name: names[0]?.name ?? null, number, id };
      known = { always, names, number, id };
      this.#people.set(root, known);
    }
    return { person: root, name: inForce(known.names, atMs), number: known.number, id: known.id };
  }

  /** Every name a person had, in the order of their times. */
  allNames(person: PersonId): string[] {
    const root = this.root(person);
    this.named(root, 0);
    return [...new Set((this.#people.get(root)?.names ?? []).map(({ name }) => name))];
  }

  /** What a conversation was called at a time: its title, or the other side of a direct one. */
  title(conversation: number, atMs: number): string {
    let titles = this.#titles.get(conversation);
    if (titles === undefined) {
      titles = this.#sql.titles.all(conversation).map(({ at, name }) => ({ at: Number(at), name: String(name) }));
      this.#titles.set(conversation, titles);
    }
    const title = inForce(titles, atMs);
    if (title !== null) return title;
    const row = this.#sql.conversation.get(conversation);
    if (row === undefined) return '';
    const [type, a, b, native] = [String(row['type']), row['a'], row['b'], row['native']];
    const called = (person: unknown): string => shownName(this.named(Number(person), atMs));
    if (type === 'direct') return `${called(a)} – ${called(b)}`;
    if (type === 'self') return `${called(a)}, notes to self`;
    if (type !== 'account') return `${type} without a title`;
    const owner = this.#sql.owner.get(native ?? '')?.['person'];
    return owner === undefined || owner === null ? 'records of an account' : `account of ${called(owner)}`;
  }

  people(value: string): number[] {
    const byAlias = this.#sql.byAlias.all(value, `+${value}`);
    const folded = foldedName(value);
    const rows = folded === '' ? byAlias : [...byAlias, ...this.#sql.byName.all(pattern(folded))];
    const roots = new Set(rows.map(({ root }) => Number(root)));
    // Lines carry the number a person had when they were folded.
    return [...roots].flatMap((root) => this.#sql.group.all(root).map(({ id }) => Number(id)));
  }

  custodians(value: string): CustodianSpan[] {
    return this.directory.called(value).map(({ identifier, fromMs, toMs }) => {
      const roots = this.#sql.byAlias.all(identifier, `+${identifier}`).map(({ root }) => Number(root));
      const people = [...new Set(roots)].flatMap((root) => this.#sql.group.all(root).map(({ id }) => Number(id)));
      return { people, fromMs, toMs };
    });
  }

  /** Whose accounts a line was captured from, by the directory. */
  custodiansOf({ capturedBy }: Line, atMs: number): string[] {
    if (this.directory.read() === null) return [];
    const found = capturedBy.flatMap(({ account }) => {
      if (account === null) return [];
      const { number, id } = this.named(account, atMs);
      return this.directory.custodianOf([number, id], atMs) ?? [];
    });
    return [...new Set(found)];
  }

  matters(value: string): string[] {
    const folded = foldedName(value);
    const rows = this.#sql.matters.all().filter(({ matter, deed }) => {
      const { name } = JSON.parse(String(deed)) as { name: string };
      return foldedName(name) === folded || matter === value;
    });
    return rows.map(({ matter }) => String(matter));
  }

  saved(value: string, within?: readonly string[]): string[] {
    const folded = foldedName(value);
    const rows = this.#sql.saved.all().filter(({ matter }) => within?.includes(String(matter)) !== false);
    const deeds = rows.map(({ deed }) => JSON.parse(String(deed)) as { name: string; query: string });
    return deeds.filter(({ name }) => foldedName(name) === folded).map(({ query }) => query);
  }

  /** By `#number`, title, the messenger's identifier, or a name of the other side. */
  conversations(value: string): number[] {
    if (isConversationNumber(value)) return [Number(value.slice(1))];
    const folded = foldedName(value);
    const titled =
      folded === '' ? [] : this.#sql.byTitle.all(pattern(folded)).map((row) => Number(row['conversation']));
    const native = this.#sql.byNative.all(value).map(({ id }) => Number(id));
    const paired = this.people(value).flatMap((person) => this.#sql.ofPair.all(person).map(({ id }) => Number(id)));
    return [...new Set([...titled, ...native, ...paired])];
  }
}

function pattern(folded: string): string {
  return `% ${folded.replaceAll(/[!%_]/g, '!$&')} %`;
}

function inForce(names: readonly NameAt[], atMs: number): string | null {
  if (names.length < 2) return names[0]?.name ?? null;
  return (names.findLast(({ at }) => at <= atMs) ?? names[0])?.name ?? null;
}

export function shownName({ name, number, id }: Named): string {
  return name ?? number ?? id ?? 'somebody';
}
