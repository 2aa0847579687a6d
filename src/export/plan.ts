// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { LineKind } from '../search/line.ts';
import { oneConversation } from '../search/one-conversation.ts';
import type { ConversationFacts, IndexSnapshot, OutlineLine, PlacedLine } from '../search/snapshot.ts';
import type { ContextRule, Selection } from './selection.ts';

/** A line that is exported, by number only: what it says is read when it is written. */
export interface PlannedLine {
  readonly id: number;
  readonly atMs: number;
  readonly leaf: number;
  readonly isHit: boolean;
  /** Lines of the conversation that are left out right before this one. */
  readonly skipped: number;
}

export interface PlannedConversation {
  /** Names it in every file of the export and in every export of this log: the least leaf in it. */
  readonly key: string;
  /** Its place in this export, from 1. */
  readonly number: number;
  readonly facts: ConversationFacts;
  /** As of the last line that is exported. */
  readonly title: string;
  readonly lines: readonly PlannedLine[];
  readonly hits: number;
  /** Lines of the conversation in the archive, and those that are left out behind the last one. */
  readonly total: number;
  readonly skippedAfter: number;
}

/** What is exported, in its order, before anything of it is read. */
export interface Plan {
  readonly selection: Selection;
  readonly rule: ContextRule;
  readonly conversations: readonly PlannedConversation[];
  readonly lines: number;
  readonly hits: number;
  readonly span: { readonly firstMs: number; readonly lastMs: number };
  /** Names in the query that nobody here bears. */
  readonly unmatched: readonly string[];
  /** Records asked for that this index does not have. */
  readonly unknownRecords: readonly string[];
}

/** What does not count when messages are counted: nobody said it. */
const NOT_SAID: ReadonlySet<LineKind> = new Set([
  'typing',
  'empty',
  'sync',
  'intakes',
  'receipt',
  'read-sync',
  'group',
  'group-update',
  'contacts',
  'block-list',
  'identity-change',
  'timer',
  'linked',
  'capture',
  'gap',
  'hole',
]);

/** Chooses the lines: hits with what is around them, ranges that touch are one. Throws `export/nothing`, `search/not-found`. */
export async function planOf(snapshot: IndexSnapshot, selection: Selection, rule: ContextRule): Promise<Plan> {
  const { hits, unmatched, unknownRecords } = await hitsOf(snapshot, selection);
  const chosen: Omit<PlannedConversation, 'number'>[] = [];
  for (const [id, lines] of hits) {
    const facts = await snapshot.conversation(id);
    if (facts === null) continue;
    const outline = await snapshot.outline(id);
    const planned = around(outline, lines, rule);
    if (planned.lines.length > 0) chosen.push(conversationOf(snapshot, facts, outline, planned));
  }
  const conversations = chosen
    .toSorted((a, b) => firstOf(a).atMs - firstOf(b).atMs || firstOf(a).leaf - firstOf(b).leaf)
    .map((one, index) => ({ ...one, number: index + 1 }));
  const lines = conversations.reduce((sum, one) => sum + one.lines.length, 0);
  if (lines === 0) {
    throw new Failure('export/nothing', {
      expected: 'a selection that something matches',
      got: 'one that nothing does',
      fix: 'try it with `holdfast search` first; no file was written',
    });
  }
  return {
    selection,
    rule,
    conversations,
    lines,
    hits: conversations.reduce((sum, one) => sum + one.hits, 0),
    span: {
      firstMs: conversations.reduce((first, one) => Math.min(first, firstOf(one).atMs), Number.MAX_SAFE_INTEGER),
      lastMs: conversations.reduce((last, one) => Math.max(last, one.lines.at(-1)?.atMs ?? 0), 0),
    },
    unmatched,
    unknownRecords,
  };
}

interface Hits {
  /** By conversation; null means all lines of it. */
  readonly hits: ReadonlyMap<number, ReadonlySet<number> | null>;
  readonly unmatched: readonly string[];
  readonly unknownRecords: readonly string[];
}

async function hitsOf(snapshot: IndexSnapshot, selection: Selection): Promise<Hits> {
  switch (selection.by) {
    case 'query': {
      const { lines, unmatched } = await snapshot.matching(selection.query);
      return { hits: byConversation(lines), unmatched, unknownRecords: [] };
    }
    case 'records': {
      const found = await snapshot.ofRecords(new Set(selection.ids));
      const unknownRecords = selection.ids.filter((id) => !found.has(id));
      return { hits: byConversation([...found.values()]), unmatched: [], unknownRecords };
    }
    case 'conversation': {
      const conversation = oneConversation(await snapshot.conversationsCalled(selection.name));
      return { hits: new Map([[conversation, null]]), unmatched: [], unknownRecords: [] };
    }
  }
}

function byConversation(lines: readonly PlacedLine[]): Map<number, Set<number>> {
  const found = new Map<number, Set<number>>();
  for (const { line, conversation } of lines) {
    const known = found.get(conversation);
    if (known === undefined) found.set(conversation, new Set([line]));
    else known.add(line);
  }
  return found;
}

interface Around {
  readonly lines: readonly PlannedLine[];
  readonly hits: number;
  readonly skippedAfter: number;
}

/** The lines of a conversation that are exported. Counted are messages; what stands between two that are exported is exported. */
function around(outline: readonly OutlineLine[], hits: ReadonlySet<number> | null, rule: ContextRule): Around {
  const said = outline.flatMap(({ kind }, at) => (NOT_SAID.has(kind) ? [] : [at]));
  const hitAt = outline.flatMap(({ id }, at) => (hits === null || hits.has(id) ? [at] : []));
  const isWhole = hits === null || (hitAt.length > 0 && said.length <= rule.wholeUpTo);
  const keep = new Uint8Array(outline.length);
  if (isWhole) keep.fill(1);
  else for (const at of hitAt) keep.fill(1, reach(said, at, -rule.around), reach(said, at, rule.around) + 1);
  const lines: PlannedLine[] = [];
  let skipped = 0;
  outline.forEach(({ id, atMs, leaf }, at) => {
    if (keep[at] === 0) {
      skipped += 1;
      return;
    }
    lines.push({ id, atMs, leaf, isHit: hits === null || hits.has(id), skipped });
    skipped = 0;
  });
  return { lines, hits: hitAt.length, skippedAfter: skipped };
}

/** The place of the message that is so many messages away from `at`; the outermost one where there are fewer. */
function reach(said: readonly number[], at: number, by: number): number {
  if (by === 0) return at;
  let [low, high] = [0, said.length];
  // First message at or behind `at`.
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((said[middle] as number) < at) low = middle + 1;
    else high = middle;
  }
  const isMessage = said[low] === at;
  const index = by < 0 ? low + by : isMessage ? low + by : low + by - 1;
  const found = said[Math.max(0, Math.min(said.length - 1, index))] ?? at;
  return by < 0 ? Math.min(at, found) : Math.max(at, found);
}

function conversationOf(
  snapshot: IndexSnapshot,
  facts: ConversationFacts,
  outline: readonly OutlineLine[],
  { lines, hits, skippedAfter }: Around,
): Omit<PlannedConversation, 'number'> {
  const least = outline.reduce((least, { leaf }) => Math.min(least, leaf), Number.MAX_SAFE_INTEGER);
  const title = snapshot.title(facts.id, lines.at(-1)?.atMs ?? 0);
  return { key: `C${least}`, facts, title, lines, hits, total: outline.length, skippedAfter };
}

/** Every line of the plan, in its order. */
export function* plannedLines({ conversations }: Plan): Generator<PlannedLine> {
  for (const { lines } of conversations) yield* lines;
}

function firstOf({ lines }: Pick<PlannedConversation, 'lines'>): PlannedLine {
  return lines[0] as PlannedLine;
}
