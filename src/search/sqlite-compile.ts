// SPDX-License-Identifier: AGPL-3.0-or-later
import type { PersonField, QueryNode } from './query.ts';
import { firstIdOf } from './sqlite-lines.ts';

/** Who and what the names in a query mean, as this index knows them. */
export interface NameLookup {
  people(value: string): readonly number[];
  conversations(value: string): readonly number[];
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

const PREFIXES: Readonly<Record<PersonField, string>> = { from: 's', to: 't', custodian: 'u' };
const EVERYTHING = 'meta : "all"';
const NOTHING = 'meta : "nothing"';

/** What spans all of a query becomes one full-text expression and one range of ids: the index then stops after a page. */
export function compileQuery(root: QueryNode | null, lookup: NameLookup): CompiledQuery {
  const compiler = new Compiler(lookup);
  const nodes = root === null ? [] : root.op === 'and' ? root.nodes : [root];
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

function hasTime(node: QueryNode): boolean {
  if (node.op === 'time') return true;
  if (node.op === 'not') return hasTime(node.node);
  return (node.op === 'and' || node.op === 'or') && node.nodes.some(hasTime);
}

class Compiler {
  readonly #lookup: NameLookup;
  readonly unmatched = new Set<string>();

  constructor(lookup: NameLookup) {
    this.#lookup = lookup;
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
        throw new RangeError('a time is no word');
    }
  }

  #all(nodes: readonly QueryNode[]): string {
    const wanted = nodes.filter(({ op }) => op !== 'not').map((node) => this.match(node));
    const unwanted = nodes.flatMap((node) => (node.op === 'not' ? [this.match(node.node)] : []));
    const base =
      wanted.length === 0 ? EVERYTHING : wanted.length === 1 ? String(wanted[0]) : `(${wanted.join(' AND ')})`;
    return unwanted.reduce((all, one) => `(${all} NOT ${one})`, base);
  }

  /** A condition on rows, for parts where times and words are mixed. */
  where(node: QueryNode): { sql: string; params: (string | number)[] } {
    if (node.op === 'time') {
      const from = node.fromMs === null ? 0 : firstIdOf(node.fromMs);
      const end = node.beforeMs === null ? Number.MAX_SAFE_INTEGER : firstIdOf(node.beforeMs);
      return { sql: 'l.id >= ? AND l.id < ?', params: [from, end] };
    }
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

function anyOf(words: readonly string[]): string {
  return words.length === 0 ? NOTHING : `meta : (${words.map((word) => `"${word}"`).join(' OR ')})`;
}
