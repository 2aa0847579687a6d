// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseQuery } from './query-parse.ts';
import { ALL, inMatters, type PersonField, type QueryNode } from './query.ts';
import { firstIdOf } from './line-id.ts';
import { inMatter, underTag } from './sqlite-tagged.ts';

/** Who and what the names in a query mean, as this index knows them. */
export interface NameLookup {
  people(value: string): readonly number[];
  conversations(value: string): readonly number[];
  /** Who a custodian was, by the agency's directory, and from when until when; empty where it names nobody so. */
  custodians(value: string): readonly CustodianSpan[];
  /** Ids of the matters of this name. */
  matters(value: string): readonly string[];
  /** Queries saved under this name, in any matter, or in these. */
  saved(value: string, within?: readonly string[]): readonly string[];
}

export interface CustodianSpan {
  readonly people: readonly number[];
  /** Both included; null: open. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
}

/** A query as SQLite takes it. `match` is null where the full-text index is not needed; `where` is about `l`, a row of `line`. */
export interface CompiledQuery {
  readonly match: string | null;
  readonly firstId: number;
  readonly endId: number;
  readonly where: { readonly sql: string; readonly params: readonly (string | number)[] } | null;
  /** Names of people and conversations that nobody here bears: they match nothing, and whoever asks should know. */
  readonly unmatched: readonly string[];
}

type Decided = Extract<QueryNode, { op: 'tag' | 'matter' | 'saved' }>;

const PREFIXES: Readonly<Record<PersonField, string>> = { from: 's', to: 't', custodian: 'u' };
const EVERYTHING = 'meta : "all"';
const NOTHING = 'meta : "nothing"';

/** What spans all of a query becomes one full-text expression and one range of ids: the index then stops after a page. */
export function compileQuery(root: QueryNode | null, lookup: NameLookup): CompiledQuery {
  const compiler = new Compiler(lookup);
  const whole = root === null ? null : compiler.expand(root);
  const nodes = whole === null ? [] : whole.op === 'and' ? whole.nodes : [whole];
  let [firstId, endId] = [0, Number.MAX_SAFE_INTEGER];
  const rest: QueryNode[] = [];
  for (const node of nodes) {
    if (node.op !== 'time') {
      rest.push(node);
      continue;
    }
    firstId = Math.max(firstId, node.fromMs === null ? 0 : firstIdOf(node.fromMs));
    endId = Math.min(endId, node.beforeMs === null ? Number.MAX_SAFE_INTEGER : firstIdOf(node.beforeMs));
  }
  const pure = rest.filter((node) => !hasTime(node));
  const mixed = rest.filter(hasTime);
  return {
    match: pure.length === 0 ? null : compiler.match({ op: 'and', nodes: pure }),
    firstId,
    endId,
    where: mixed.length === 0 ? null : compiler.where({ op: 'and', nodes: mixed }),
    unmatched: [...compiler.unmatched],
  };
}

/** True for what is a condition on rows: times, and what readers decided. */
function hasTime(node: QueryNode): boolean {
  if (node.op === 'time' || node.op === 'tag' || node.op === 'matter' || node.op === 'lines') return true;
  if (node.op === 'not') return hasTime(node.node);
  return (node.op === 'and' || node.op === 'or') && node.nodes.some(hasTime);
}

class Compiler {
  readonly #lookup: NameLookup;
  readonly unmatched = new Set<string>();

  constructor(lookup: NameLookup) {
    this.#lookup = lookup;
  }

  /** Names that stand for more than one condition become those: custodians of the directory, and saved searches. */
  expand(node: QueryNode, depth = 0): QueryNode {
    switch (node.op) {
      case 'and':
      case 'or':
        return { op: node.op, nodes: node.nodes.map((one) => this.expand(one, depth)) };
      case 'not':
        return { op: 'not', node: this.expand(node.node, depth) };
      case 'person':
        return node.field === 'custodian' ? this.#custodian(node) : node;
      case 'saved':
        return this.#saved(node, depth);
      default:
        return node;
    }
  }

  #custodian(node: Extract<QueryNode, { op: 'person' }>): QueryNode {
    const spans = this.#lookup.custodians(node.value);
    if (spans.length === 0) return node;
    const nodes = spans.map(({ people, fromMs, toMs }): QueryNode => {
      const who = { op: 'people', field: 'custodian', people } as const;
      if (fromMs === null && toMs === null) return who;
      return { op: 'and', nodes: [who, { op: 'time', fromMs, beforeMs: toMs === null ? null : toMs + 1 }] };
    });
    // Somebody the messenger calls so, whom the directory does not know, is meant as well.
    const others = this.#lookup
      .people(node.value)
      .filter((person) => !spans.some(({ people }) => people.includes(person)));
    if (others.length > 0) nodes.push({ op: 'people', field: 'custodian', people: others });
    return nodes.length === 1 ? (nodes[0] as QueryNode) : { op: 'or', nodes };
  }

  #saved({ value, within }: Decided, depth: number): QueryNode {
    const queries = this.#lookup.saved(value, within);
    if (queries.length === 0 || depth > MOST_SAVED_DEPTH) this.unmatched.add(`saved:${value}`);
    const roots = depth > MOST_SAVED_DEPTH ? [] : queries.map((query) => parseQuery(query).root ?? ALL);
    const limited = within === undefined ? roots : roots.map((root) => inMatters(root, within));
    return { op: 'or', nodes: [NONE, ...limited.map((root) => this.expand(root, depth + 1))] };
  }

  /** The full-text expression of a part without times. */
  match(node: QueryNode): string {
    switch (node.op) {
      case 'words':
        // Words hold letters, digits and signs only: nothing that could end the string.
        return `text : "${node.asked.words.join(' ')}"${node.asked.isPrefix ? ' *' : ''}`;
      case 'facet':
        return `meta : "${node.word}"`;
      case 'person': {
        const people = this.#lookup.people(node.value);
        if (people.length === 0) this.unmatched.add(`${node.field}:${node.value}`);
        return anyOf(people.map((person) => `${PREFIXES[node.field]}_${person}`));
      }
      case 'people':
        return anyOf(node.people.map((person) => `${PREFIXES[node.field]}_${person}`));
      case 'conversation': {
        const found = this.#lookup.conversations(node.value);
        if (found.length === 0) this.unmatched.add(`in:${node.value}`);
        return anyOf(found.map((conversation) => `c_${conversation}`));
      }
      case 'not':
        return `(${EVERYTHING} NOT ${this.match(node.node)})`;
      case 'or':
        return `(${node.nodes.map((one) => this.match(one)).join(' OR ')})`;
      case 'and':
        return this.#all(node.nodes);
      case 'time':
      case 'tag':
      case 'matter':
      case 'saved':
      case 'lines':
        throw new RangeError('a condition on rows is no word');
    }
  }

  #all(nodes: readonly QueryNode[]): string {
    const wanted = nodes.filter(({ op }) => op !== 'not').map((node) => this.match(node));
    const unwanted = nodes.flatMap((node) => (node.op === 'not' ? [this.match(node.node)] : []));
    const base =
      wanted.length === 0 ? EVERYTHING : wanted.length === 1 ? String(wanted[0]) : `(${wanted.join(' AND ')})`;
    return unwanted.reduce((all, one) => `(${all} NOT ${one})`, base);
  }

  #matter({ value, within }: Decided): { sql: string; params: (string | number)[] } {
    const found = this.#lookup.matters(value).filter((matter) => within?.includes(matter) !== false);
    if (found.length === 0) this.unmatched.add(`matter:${value}`);
    const parts = found.map(inMatter);
    const sql = parts.length === 0 ? 'FALSE' : parts.map((part) => part.sql).join(' OR ');
    return { sql, params: parts.flatMap(({ params }) => params) };
  }

  /** A condition on rows, for parts where times and words are mixed. */
  where(node: QueryNode): { sql: string; params: (string | number)[] } {
    if (node.op === 'time') {
      const from = node.fromMs === null ? 0 : firstIdOf(node.fromMs);
      const end = node.beforeMs === null ? Number.MAX_SAFE_INTEGER : firstIdOf(node.beforeMs);
      return { sql: 'l.id >= ? AND l.id < ?', params: [from, end] };
    }
    if (node.op === 'lines') return { sql: `l.id IN (${node.sql})`, params: [node.leaf] };
    if (node.op === 'tag') return underTag(node.value, node.within);
    if (node.op === 'matter') return this.#matter(node);
    if (!hasTime(node)) {
      return { sql: 'l.id IN (SELECT rowid FROM words WHERE words MATCH ?)', params: [this.match(node)] };
    }
    const inner = node.op === 'not' ? [node.node] : 'nodes' in node ? node.nodes : [];
    const parts = inner.map((one) => this.where(one));
    const params = parts.flatMap((part) => part.params);
    if (node.op === 'not') return { sql: `NOT (${parts[0]?.sql ?? ''})`, params };
    return { sql: parts.map(({ sql }) => `(${sql})`).join(node.op === 'or' ? ' OR ' : ' AND '), params };
  }
}

/** A saved search may name another; one that names itself comes to nothing. */
const MOST_SAVED_DEPTH = 5;
const NONE: QueryNode = { op: 'facet', word: 'nothing' };

function anyOf(words: readonly string[]): string {
  return words.length === 0 ? NOTHING : `meta : (${words.map((word) => `"${word}"`).join(' OR ')})`;
}
