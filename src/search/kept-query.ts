// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { parseQuery } from './query-parse.ts';
import { isConversationNumber, type QueryNode } from './query.ts';

/**
 * The text of a query that is kept in the log and asked again, of this index and of others. Throws `search/query` as {@link parseQuery} does,
 * and for a conversation by its number: an index that is built anew counts otherwise.
 */
export function keptQuery(text: string): string {
  const { root } = parseQuery(text);
  if (root === null || !hasNumber(root)) return text;
  throw new Failure('search/query', {
    expected: 'conversations by title, identifier or the other one’s name, in a query that is kept',
    got: 'a number, which is of this index only',
    where: '`in:`',
    fix: 'name the conversation as `holdfast show` does, or tag it whole and ask for the tag',
  });
}

function hasNumber(node: QueryNode): boolean {
  if (node.op === 'conversation') return isConversationNumber(node.value);
  if (node.op === 'not') return hasNumber(node.node);
  return (node.op === 'and' || node.op === 'or') && node.nodes.some(hasNumber);
}
