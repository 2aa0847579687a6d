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
  /** A word of the column of facets. */
  | { readonly op: 'facet'; readonly word: string }
  /** From a moment on, and before another; either may be open. */
  | { readonly op: 'time'; readonly fromMs: number | null; readonly beforeMs: number | null };

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
