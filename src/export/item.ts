// SPDX-License-Identifier: AGPL-3.0-or-later
import type { IndexSnapshot, StoredLine } from '../search/snapshot.ts';
import type { Plan, PlannedConversation, PlannedLine } from './plan.ts';

/** A line that is exported, as it is written. */
export interface Item extends StoredLine {
  readonly conversation: PlannedConversation;
  readonly planned: PlannedLine;
}

/** Lines that are in memory at a time. */
const AT_ONCE = 256;

/** Lines of one conversation, from one place of the plan to before another. */
export async function* itemsOf(
  snapshot: IndexSnapshot,
  conversation: PlannedConversation,
  from = 0,
  end = conversation.lines.length,
): AsyncGenerator<Item> {
  for (let at = from; at < end; at += AT_ONCE) {
    const planned = conversation.lines.slice(at, Math.min(end, at + AT_ONCE));
    const stored = await snapshot.lines(
      conversation.facts.id,
      planned.map(({ id }) => id),
    );
    for (const [index, line] of stored.entries()) {
      yield { ...line, conversation, planned: planned[index] as PlannedLine };
    }
  }
}

/** Everything that is exported, in its order. */
export async function* allItems(snapshot: IndexSnapshot, plan: Plan): AsyncGenerator<Item> {
  for (const conversation of plan.conversations) yield* itemsOf(snapshot, conversation);
}

/** Names a line in every format: the leaf of its first record. */
export function lineKey({ planned }: Pick<Item, 'planned'>): string {
  return `L${planned.leaf}`;
}
