// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Actor, Deed, HoldScope } from '../access/act.ts';
import { Failure } from '../base/failure.ts';
import { parseEntry } from '../record/entry.ts';
import type { EscrowEntry } from '../record/entry-types.ts';
import type {
  ActPage,
  ActsDb,
  Directory,
  HoldInLog,
  KeptObjects,
  LoggedAct,
  LoggedCeremony,
  Matter,
} from './acts-db.ts';
import type { PackRange } from './open-records.ts';
import { PackFinder } from './pack-finder.ts';
import { parseQuery } from './query-parse.ts';
import { lineOfLeaf, type QueryNode } from './query.ts';
import { compileQuery } from './sqlite-compile.ts';
import { DirectoryReader } from './sqlite-directory.ts';
import { NameReader } from './sqlite-names.ts';
import { linesOf } from './sqlite-reader.ts';
import { foldedName } from './words.ts';

type Row = Record<string, SQLOutputValue>;
type DeedOf<Name extends Deed['act']> = Extract<Deed, { act: Name }>;

interface Standing {
  readonly deed: Deed;
  readonly atMs: number;
  readonly user: string;
}

const LEAST_ID_DIGITS = 6;

/** What readers did and decided, from an index in SQLite. Each answer is of one state of it. */
export class ActsReader implements ActsDb {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  accessLog({ limit, after, user, act, leaf }: ActPage): { acts: LoggedAct[]; next: string | null } {
    const [, at = '', id = ''] = after === null ? [] : (/^(\d{1,15})\.([0-9a-f]{32})$/.exec(after) ?? [null]);
    if (after !== null && id === '') {
      throw new Failure('search/page', { expected: 'the mark of a next page, as it was given', got: 'something else' });
    }
    const conditions: [string, (string | number)[]][] = [
      ...(after === null ? [] : ([['(at, id) < (?, ?)', [Number(at), id]]] as [string, (string | number)[]][])),
      ...(user === undefined ? [] : ([['user = ?', [user]]] as [string, (string | number)[]][])),
      ...(act === undefined ? [] : ([['name = ?', [act]]] as [string, (string | number)[]][])),
      ...(leaf === undefined
        ? []
        : ([
            [
              'id IN (SELECT act FROM shown WHERE leaf IN (SELECT leaf FROM part WHERE line IN (SELECT line FROM part WHERE leaf = ?)))',
              [leaf],
            ],
          ] as [string, (string | number)[]][])),
    ];
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.map(([sql]) => sql).join(' AND ')}`;
    const rows = this.#db
      .prepare(`SELECT id, leaf, at, by, deed FROM act ${where} ORDER BY at DESC, id DESC LIMIT ?`)
      .all(...conditions.flatMap(([, params]) => params), limit);
    const acts = rows.map(loggedAct);
    const last = acts.at(-1);
    return { acts, next: acts.length < limit || last === undefined ? null : `${last.atMs}.${last.id}` };
  }

  matters(): Matter[] {
    const rows = this.#db.prepare("SELECT matter FROM standing WHERE name = 'matter' ORDER BY at, id").all();
    return rows.map(({ matter }) => this.#matter(String(matter)));
  }

  mattersCalled(value: string): Matter[] {
    const folded = foldedName(value);
    const isId = /^[0-9a-f]+$/.test(value) && value.length >= LEAST_ID_DIGITS;
    return this.matters().filter(
      ({ matter, name }) => foldedName(name) === folded || (isId && matter.startsWith(value)),
    );
  }

  #matter(matter: string): Matter {
    const standing = this.#db
      .prepare('SELECT at, user, deed FROM standing WHERE matter = ? AND stands = 1 ORDER BY at, id')
      .all(matter)
      .map(({ at, user, deed }): Standing => ({
        atMs: Number(at),
        user: String(user),
        deed: JSON.parse(String(deed)) as Deed,
      }));
    const of = <Name extends Deed['act']>(name: Name): (Omit<Standing, 'deed'> & { deed: DeedOf<Name> })[] =>
      standing.filter(({ deed }) => deed.act === name) as (Omit<Standing, 'deed'> & { deed: DeedOf<Name> })[];
    const own = of('matter').at(-1)?.deed;
    return {
      matter,
      name: own?.name ?? '',
      state: own?.state ?? 'open',
      custodians: of('custodian').map(({ deed }) => deed.custodian),
      searches: of('saved-search').map(({ deed }) => ({ name: deed.name, query: deed.query ?? '' })),
      tags: of('tag').map(({ deed: { tag, target }, atMs, user }) => ({ tag, target, atMs, user })),
      notes: of('note').map(({ deed: { text, target }, atMs, user }) => ({ text, target, atMs, user })),
      holds: of('hold').map(({ deed: { hold, scope }, atMs, user }) => ({ hold, matter, scope, atMs, user })),
    };
  }

  directory(): Directory | null {
    return new DirectoryReader(this.#db).read();
  }

  kept(scope: HoldScope): KeptObjects {
    const node = this.#scopeNode(scope);
    const { sql, params } = linesOf(compileQuery(node, new NameReader(this.#db)));
    return this.#keptBy(sql, params);
  }

  #scopeNode(scope: HoldScope): QueryNode | null {
    switch (scope.by) {
      case 'search':
        return parseQuery(scope.query).root;
      case 'custodian':
        return { op: 'person', field: 'custodian', value: scope.custodian };
      case 'record':
        return lineOfLeaf(scope.leaf);
      case 'conversation': {
        const sql =
          'SELECT o.id FROM part p JOIN line x ON x.id = p.line JOIN line o ON o.conversation = x.conversation WHERE p.leaf = ?';
        return { op: 'lines', sql, leaf: scope.leaf };
      }
    }
  }

  /** Every pack and object that holds a part of one of these lines. More than the lines alone: a pack is kept whole. */
  #keptBy(sql: string, params: readonly (string | number)[]): KeptObjects {
    const packs = new Set<string>();
    const media = new Set<string>();
    const finder = new PackFinder(this.#packs());
    let [lines, before] = [0, -1];
    const parts = this.#db.prepare(
      `SELECT p.line, p.leaf, r.objects FROM part p JOIN record r ON r.leaf = p.leaf WHERE p.line IN (${sql}) ORDER BY p.line`,
    );
    for (const { line, leaf, objects } of parts.iterate(...params)) {
      if (Number(line) !== before) lines += 1;
      before = Number(line);
      if (typeof objects === 'string') for (const hash of objects.split(' ')) media.add(hash);
      for (const hash of finder.at(Number(leaf))) packs.add(hash);
    }
    const sorted = (hashes: ReadonlySet<string>): string[] => [...hashes].toSorted();
    return { packs: sorted(packs), media: sorted(media), lines };
  }

  #packs(): PackRange[] {
    const rows = this.#db.prepare('SELECT first, end, hash FROM pack ORDER BY first').all();
    return rows.map(({ first, end, hash }) => ({ first: Number(first), end: Number(end), hash: String(hash) }));
  }

  holds(): HoldInLog[] {
    const rows = this.#db.prepare('SELECT * FROM logged_hold ORDER BY leaf').all();
    const objects = this.#db.prepare('SELECT hash FROM held WHERE hold = ? AND kind = ? ORDER BY hash');
    return [...Map.groupBy(rows, ({ hold }) => String(hold))].map(([hold, own]) => {
      const entries = own.map(({ leaf, state, at, signed, officers }) => ({
        leaf: Number(leaf),
        state: String(state),
        atMs: Number(at),
        signed: String(signed),
        officers: JSON.parse(String(officers)) as string[],
      }));
      const isReleased = entries.some(({ state }) => state === 'released');
      const hashes = (kind: string): string[] => objects.all(hold, kind).map(({ hash }) => String(hash));
      return {
        hold,
        state: isReleased ? 'released' : entries.length > 1 ? 'extended' : 'placed',
        reference: String(own[0]?.['reference']),
        entries,
        packs: hashes('pack'),
        media: hashes('media'),
      };
    });
  }

  ceremonies(): LoggedCeremony[] {
    const rows = this.#db.prepare('SELECT leaf, id, line FROM ceremony ORDER BY leaf').all();
    return rows.map(({ leaf, id, line }) => ({
      leaf: Number(leaf),
      id: String(id),
      entry: parseEntry(String(line)) as EscrowEntry,
    }));
  }

  families(query: QueryNode | null): number {
    const { sql, params } = linesOf(compileQuery(query, new NameReader(this.#db)));
    const counted = `SELECT count(DISTINCT conversation) AS n FROM line WHERE id IN (${sql})`;
    return Number(this.#db.prepare(counted).get(...params)?.['n']);
  }

  leafOfConversation(conversation: number): number | null {
    const row = this.#db.prepare('SELECT leaf FROM line WHERE conversation = ? ORDER BY id LIMIT 1').get(conversation);
    return row === undefined ? null : Number(row['leaf']);
  }

  hasLine(leaf: number): boolean {
    return this.#db.prepare('SELECT 1 FROM part WHERE leaf = ?').get(leaf) !== undefined;
  }
}

function loggedAct({ id, leaf, at, by, deed }: Row): LoggedAct {
  return {
    id: String(id),
    leaf: Number(leaf),
    atMs: Number(at),
    by: JSON.parse(String(by)) as Actor,
    deed: JSON.parse(String(deed)) as Deed,
  };
}
