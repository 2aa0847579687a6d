// SPDX-License-Identifier: AGPL-3.0-or-later
import { MOST_LEAF_RANGES } from '../record/entry-grammar.ts';
import type { LeafRange } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import type { PendingBody } from './pending.ts';

/** Bodies of one retention class, ready to be stored. */
export interface Pack {
  readonly ret: string;
  readonly hash: string;
  readonly bytes: Buffer;
  readonly leaves: readonly LeafRange[];
}

/**
 * One pack per class and flush: bodies in leaf order, one behind the other, and the leaves they belong to. A range may span leaves of
 * other classes or without a body: readers skip those, because a header says which class its body is of.
 */
export function buildPacks(bodies: readonly PendingBody[], firstLeaf: number): Pack[] {
  const classes = Map.groupBy(bodies, ({ ret }) => ret);
  return [...classes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([ret, members]) => buildPack(ret, members, firstLeaf));
}

function buildPack(ret: string, members: readonly PendingBody[], firstLeaf: number): Pack {
  const bytes = Buffer.concat(members.map((member) => member.bytes));
  const first = firstLeaf + (members[0] as PendingBody).index;
  const last = firstLeaf + (members.at(-1) as PendingBody).index;
  const leaves: readonly LeafRange[] = [[first, last - first + 1]];
  if (leaves.length > MOST_LEAF_RANGES) throw new RangeError('too many leaf ranges in one pack');
  return { ret, hash: sha256Hex(bytes), bytes, leaves };
}
