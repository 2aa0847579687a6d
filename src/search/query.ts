// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AskedWords } from './words.ts';

/** Who stands in which relation to a line. */
export type PersonField = 'from' | 'to' | 'custodian';

/** What a query asks, once understood. Names of people and conversations are looked up by the index, which knows them. */
export type QueryNode =
  | { readonly op: 'and' | 'or'; readonly nodes: readonly QueryNode[] }
  | { readonly op: 'not'; readonly node: QueryNode }
  | { readonly op: 'words'; readonly asked: AskedWords }
  | { readonly op: 'person'; readonly field: PersonField; readonly value: string }
  | { readonly op: 'conversation'; readonly value: string }
  /** People who are known already: what a custodian comes to. */
  | { readonly op: 'people'; readonly field: PersonField; readonly people: readonly number[] }
  /** What readers decided: lines under a tag, lines under any tag of a matter, and what a saved search finds. `within`: {@link inMatters}. */
  | { readonly op: 'tag' | 'matter' | 'saved'; readonly value: string; readonly within?: readonly string[] }
  /** Lines that a statement about one leaf gives: never from a query's text. */
  | { readonly op: 'lines'; readonly sql: string; readonly leaf: number }
  /** A word of the column of facets. */
  | { readonly op: 'facet'; readonly word: string }
  /** From a moment on, and before another; either may be open. */
  | { readonly op: 'time'; readonly fromMs: number | null; readonly beforeMs: number | null };

/** Every line there is. */
export const ALL: QueryNode = { op: 'facet', word: 'all' };

/** What was captured from a custodian, of what a query finds. */
export function ofCustodian(root: QueryNode | null, custodian: string): QueryNode {
  return { op: 'and', nodes: [root ?? ALL, { op: 'person', field: 'custodian', value: custodian }] };
}

/** The line that the record of this leaf is part of. */
export function lineOfLeaf(leaf: number): QueryNode {
  return { op: 'lines', sql: 'SELECT line FROM part WHERE leaf = ?', leaf };
}

/** The same, where of tags, matters and saved searches there are only those of these matters. */
export function inMatters(node: QueryNode, matters: readonly string[]): QueryNode {
  switch (node.op) {
    case 'and':
    case 'or':
      return { op: node.op, nodes: node.nodes.map((one) => inMatters(one, matters)) };
    case 'not':
      return { op: 'not', node: inMatters(node.node, matters) };
    case 'tag':
    case 'matter':
    case 'saved':
      return { ...node, within: matters };
    default:
      return node;
  }
}

/** True for what names a conversation by its number in this index. */
export function isConversationNumber(conversation: string): boolean {
  return /^#\d+$/.test(conversation);
}

export interface Query {
  readonly text: string;
  /** Null asks for everything. */
  readonly root: QueryNode | null;
}

/** The words that a line may be found by, for showing where: those that are not excluded. */
export function wantedWords(node: QueryNode | null): AskedWords[] {
  if (node === null) return [];
  if (node.op === 'words') return [node.asked];
  return node.op === 'and' || node.op === 'or' ? node.nodes.flatMap(wantedWords) : [];
}
