// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { inMatters, lineOfLeaf, type Query, type QueryNode } from '../search/query.ts';
import type { QueryThreads } from '../search/query-threads.ts';
import type { Identity } from './authenticator.ts';

type Limited = Pick<Identity, 'matters'>;

/** The query as far as whoever asks may see: in their matters, where they are limited to some. What others decided elsewhere is not there. */
export function within(query: Query, { matters }: Limited): Query {
  if (matters === null) return query;
  const nodes = [...(query.root === null ? [] : [inMatters(query.root, matters)]), inAnyOf(matters)];
  return { text: query.text, root: { op: 'and', nodes } };
}

/** Throws `search/not-found` for a message that whoever asks may not see, as for one that there is not. */
export async function assertWithin(
  index: QueryThreads,
  leaf: number,
  { matters }: Limited,
  signal: AbortSignal,
): Promise<void> {
  if (matters === null) return;
  const query: Query = { text: '', root: { op: 'and', nodes: [lineOfLeaf(leaf), inAnyOf(matters)] } };
  if ((await index.ask('count', [query], signal)) > 0) return;
  throw new Failure('search/not-found', {
    expected: 'the leaf of a record in this index',
    got: 'another number',
    fix: 'a search finds what there is',
  });
}

function inAnyOf(matters: readonly string[]): QueryNode {
  return { op: 'or', nodes: matters.map((value): QueryNode => ({ op: 'matter', value })) };
}
