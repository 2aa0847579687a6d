// SPDX-License-Identifier: AGPL-3.0-or-later
import { stringify } from 'csv-stringify/sync';
import { allItems, lineKey, type Item } from './item.ts';
import { MemberTracker } from './members.ts';
import { plannedLines } from './plan.ts';
import type { Rendering } from './rendering.ts';
import { Tally } from './tally.ts';
import { tell } from './telling.ts';
import { isoOf } from './iso.ts';

/** A spreadsheet reads UTF-8 as such only behind this mark. */
const BYTE_ORDER_MARK = '\uFEFF';
/** Spreadsheets cut or refuse longer cells; the whole is in the JSONL, and the cell says so. */
const MOST_CELL = 32_000;

const COLUMNS = [
  'line',
  'leaf',
  'scope',
  'conversation',
  'app',
  'conversation_kind',
  'conversation_title',
  'time_utc',
  'time_local',
  'kind',
  'author',
  'author_number',
  'author_id',
  'author_custodian',
  'custodians',
  'text',
  'state',
  'notes',
  'files',
  'other',
  'members',
  'skipped_before',
  'record_leaves',
  'record_ids',
] as const;

/** One row a line. Every cell is text that no spreadsheet runs: what would be a formula has an apostrophe in front. */
export async function* csv(rendering: Rendering, file: string): AsyncGenerator<string> {
  const { snapshot, plan, onLine } = rendering;
  const tally = new Tally();
  const members = new MemberTracker();
  yield BYTE_ORDER_MARK + csvRow(COLUMNS);
  for await (const item of allItems(snapshot, plan)) {
    yield csvRow(cellsOf(item, rendering, members.of(item)?.id ?? ''));
    tally.out(item.planned);
    onLine();
  }
  tally.assertEqual(plannedLines(plan), file);
}

/** Who was in each conversation, and from which line on. */
export async function* membersCsv({ snapshot, plan }: Rendering): AsyncGenerator<string> {
  const members = new MemberTracker();
  yield (
    BYTE_ORDER_MARK + csvRow(['members', 'conversation', 'from_line', 'time_utc', 'name', 'number', 'id', 'custodian'])
  );
  for await (const item of allItems(snapshot, plan)) {
    const membership = members.of(item);
    if (membership?.isNew !== true) continue;
    const { atMs } = item.shown;
    for (const member of membership.members) {
      const who = [member.name, member.number, member.id, snapshot.custodianOf(member, atMs)].map((one) => one ?? '');
      yield csvRow([membership.id, item.conversation.key, lineKey(item), isoOf(atMs), ...who]);
    }
  }
}

export function csvRow(cells: readonly string[]): string {
  // Only the row's own delimiter would be quoted by itself.
  return stringify([cells.map(inert)], { escape_formulas: true, record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
}

/** Controls that a spreadsheet or terminal would act upon are named; line ends stay. A cell that opens with blanks and a formula sign is text too. */
function inert(cell: string): string {
  const shown = cell
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, controlName)
    .toWellFormed();
  const text = /^[\s\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]+[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/.test(shown)
    ? `'${shown}`
    : shown;
  return text.length <= MOST_CELL
    ? text
    : `${text.slice(0, MOST_CELL).toWellFormed()} [cut here; whole in messages.jsonl]`;
}

function controlName(character: string): string {
  return `[U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;
}

function cellsOf(item: Item, rendering: Rendering, members: string): string[] {
  const { shown, records, conversation, planned } = item;
  const { line, people, atMs } = shown;
  const telling = tell(item, rendering);
  const author = line.author === null ? undefined : people.get(line.author);
  const { facts, key, title } = conversation;
  // What was said is given as it was said; words of ours only where nobody said anything.
  const text = line.versions.at(-1)?.content.text ?? telling.said.join('\n');
  return [
    lineKey(item),
    String(planned.leaf),
    planned.isHit ? 'hit' : 'context',
    key,
    facts.app,
    facts.type,
    title,
    isoOf(atMs),
    telling.at,
    line.kind,
    telling.who,
    author?.number ?? '',
    author?.id ?? '',
    author === undefined ? '' : (rendering.snapshot.custodianOf(author, atMs) ?? ''),
    shown.custodians.join('; '),
    text,
    telling.marks.filter((mark) => mark !== 'context').join('; '),
    [...(line.versions.length === 0 ? [] : telling.said.filter((one) => one !== text)), ...telling.notes].join('\n'),
    telling.files.map(({ label, state, lie }) => `${label}: ${state}${lie === null ? '' : `; ${lie}`}`).join('\n'),
    telling.rest.join('\n'),
    members,
    planned.skipped === 0 ? '' : String(planned.skipped),
    records.map(({ leaf }) => leaf).join(' '),
    records.map(({ id }) => id).join(' '),
  ];
}
