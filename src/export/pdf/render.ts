// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../../base/counted.ts';
import { plainLine } from '../../search/plain-text.ts';
import { itemsOf, lineKey, type Item } from '../item.ts';
import { MemberTracker, membersText } from '../members.ts';
import { plannedLines, type PlannedConversation } from '../plan.ts';
import type { Rendering } from '../rendering.ts';
import { statementOf } from '../statement.ts';
import { Tally } from '../tally.ts';
import { tell, type Telling, type ToldFile } from '../telling.ts';
import { Faces } from './faces.ts';
import { Sheet, type Style } from './sheet.ts';

const INK = '#1b1f24';
const GREY = '#57606a';
const RED = '#b42318';
const BLUE = '#0b5cad';
const HIT = '#b58900';
const SAID: Style = { size: 10, colour: INK };
const NOTE: Style = { size: 8, colour: GREY, indent: 12 };
const FINE: Style = { size: 6.5, colour: GREY, indent: 12 };
const TIME_WIDTH = 130;

/** Pictures up to this length are shown; others are named, and lie in the export's folder. */
const MOST_PICTURE_BYTES = 3_000_000;
const PICTURES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg']);

/** The whole export as one document of numbered pages: statement, list of conversations, then every line. */
export async function* pdf(rendering: Rendering, file: string): AsyncGenerator<Buffer> {
  const { plan, provenance, bates } = rendering;
  const faces = await Faces.load();
  const sheet = new Sheet({
    faces,
    bates,
    title: `Messages of ${plainLine(provenance.origin)}`,
    foot: `Checkpoint ${provenance.checkpoint.size}, ${provenance.checkpoint.at}`,
    date: new Date(provenance.checkpoint.at),
  });
  const tally = new Tally();
  await cover(sheet, rendering);
  for (const conversation of plan.conversations) {
    await conversationHead(sheet, conversation);
    for await (const _ of conversationLines(sheet, rendering, conversation, tally)) yield* drained(sheet);
  }
  await fontsNote(sheet, faces);
  tally.assertEqual(plannedLines(plan), file);
  sheet.end();
  yield* drained(sheet);
  // The last of it comes when pictures with transparency are taken apart.
  for await (const rest of sheet.doc) yield rest as Buffer;
}

function* drained({ doc }: Sheet): Generator<Buffer> {
  for (let chunk = doc.read() as Buffer | null; chunk !== null; chunk = doc.read() as Buffer | null) yield chunk;
}

async function cover(sheet: Sheet, rendering: Rendering): Promise<void> {
  const { plan, provenance } = rendering;
  await sheet.text('Short Message Report', { size: 20, colour: INK, bold: true });
  await sheet.text(plainLine(provenance.origin), { size: 11, colour: GREY });
  for (const { title, lines } of statementOf(rendering)) {
    sheet.space(12);
    await sheet.keep(40);
    await sheet.text(title, { size: 12, colour: INK, bold: true });
    for (const line of lines)
      await sheet.text(line, { size: 9.5, colour: INK, indent: line.startsWith('  ') ? 24 : 12 });
  }
  await sheet.newPage();
  await sheet.text('Outline of Conversations', { size: 14, colour: INK, bold: true });
  sheet.space(6);
  for (const { key, number, title, facts, lines, hits } of plan.conversations) {
    const counts = `${facts.app}, ${facts.type}, ${countOf(lines.length, 'line')}, ${countOf(hits, 'hit')}`;
    await sheet.text(`${number}. ${plainLine(title)}`, { size: 10, colour: BLUE });
    sheet.link(key, 13.6);
    await sheet.text(counts, { ...NOTE });
  }
}

async function conversationHead(sheet: Sheet, conversation: PlannedConversation): Promise<void> {
  const { key, number, title, facts, lines, total, hits } = conversation;
  sheet.space(26);
  await sheet.keep(150);
  const name = `${number}. ${plainLine(title)}`;
  sheet.destination(key);
  sheet.doc.outline.addItem(name.toWellFormed());
  await sheet.text(name, { size: 14, colour: INK, bold: true });
  const counts = `${lines.length} of ${countOf(total, 'line')} exported, ${countOf(hits, 'hit')}`;
  await sheet.text(
    plainLine(`${facts.app}, ${facts.type}, ${key}${facts.native === null ? '' : `, ${facts.native}`}; ${counts}`),
    {
      size: 8,
      colour: GREY,
    },
  );
  sheet.space(4);
}

async function* conversationLines(
  sheet: Sheet,
  rendering: Rendering,
  conversation: PlannedConversation,
  tally: Tally,
): AsyncGenerator<void> {
  const { snapshot, zone, onLine } = rendering;
  const members = new MemberTracker();
  let day = '';
  for await (const item of itemsOf(snapshot, conversation)) {
    if (item.planned.skipped > 0) await skip(sheet, item.planned.skipped);
    const now = zone.day(item.shown.atMs);
    if (now !== day) {
      sheet.space(8);
      await sheet.keep(60);
      await sheet.text(now, { size: 9, colour: GREY, bold: true });
      sheet.rule('#d8dee4');
      sheet.space(3);
    }
    day = now;
    const membership = members.of(item);
    if (membership?.isNew === true) {
      sheet.space(4);
      await sheet.text(membersText(membership), NOTE);
    }
    await drawLine(sheet, item, tell(item, rendering), rendering);
    tally.out(item.planned);
    onLine();
    yield;
  }
  if (conversation.skippedAfter > 0) await skip(sheet, conversation.skippedAfter);
}

async function skip(sheet: Sheet, lines: number): Promise<void> {
  sheet.space(6);
  const text = `– ${countOf(lines, 'line')} of this conversation ${lines === 1 ? 'is' : 'are'} not part of this export –`;
  await sheet.text(text, { size: 8, colour: GREY, indent: 140 });
  sheet.space(2);
}

async function drawLine(sheet: Sheet, item: Item, telling: Telling, rendering: Rendering): Promise<void> {
  const { who, whoElse, at, said, marks, notes, files, rest } = telling;
  sheet.space(7);
  await sheet.keep(34);
  const fromY = sheet.y;
  sheet.destination(lineKey(item));
  const isSystem = marks.includes('not said');
  await sheet.aside(at, { size: 8, colour: GREY });
  const shownMarks = marks.filter((mark) => mark !== 'not said');
  const head = [
    ...(who === '' ? [] : [{ text: who, style: { size: 10, colour: INK, bold: true } }]),
    ...(whoElse === '' ? [] : [{ text: whoElse, style: { size: 8, colour: GREY } }]),
    ...shownMarks.map((mark) => ({
      text: mark.toUpperCase(),
      style: { size: 7, colour: mark === 'deleted' || mark === 'archive note' ? RED : GREY, bold: true },
    })),
  ];
  if (head.length > 0) await sheet.row(head, TIME_WIDTH);
  for (const [index, line] of said.entries()) {
    const right = head.length === 0 && index === 0 ? TIME_WIDTH : 0;
    await sheet.text(line, { ...SAID, ...(isSystem ? { colour: GREY } : {}), right });
  }
  for (const file of files) await drawFile(sheet, file, rendering);
  for (const note of notes) await sheet.text(note, NOTE);
  for (const one of rest) await sheet.text(one, FINE);
  await sheet.text(recordsText(item), FINE);
  // Where all is a hit, a mark says nothing.
  if (item.planned.isHit && rendering.plan.hits < rendering.plan.lines) sheet.bar(fromY, HIT);
}

function recordsText(item: Item): string {
  const { records } = item;
  const [first] = records;
  const more = records.length > 1 ? `, and ${records.length - 1} more` : '';
  return `${lineKey(item)}${first === undefined ? '' : `, record ${first.id.slice(0, 16)}…`}${more}; whole in records.csv`;
}

async function drawFile(
  sheet: Sheet,
  { label, state, lie, exported }: ToldFile,
  { staging }: Rendering,
): Promise<void> {
  const path = exported?.path ?? null;
  const isShown = exported !== null && PICTURES.has(exported.type ?? '') && exported.size <= MOST_PICTURE_BYTES;
  if (path !== null && isShown) {
    try {
      sheet.space(3);
      await sheet.image(staging.pathOf(path), 12, 220, 170);
    } catch {
      await sheet.text('this picture cannot be drawn; its bytes are in the export’s folder', { ...NOTE, colour: RED });
    }
  }
  await sheet.text(`${label}: ${state}`, path === null ? { ...NOTE, colour: RED } : NOTE);
  if (lie !== null) await sheet.text(lie, { ...NOTE, colour: RED, bold: true });
}

async function fontsNote(sheet: Sheet, { uncovered }: Faces): Promise<void> {
  if (uncovered.size === 0) return;
  const points = [...uncovered]
    .toSorted((a, b) => a - b)
    .map((point) => `U+${point.toString(16).toUpperCase().padStart(4, '0')}`);
  await sheet.newPage();
  await sheet.text('Characters that no font of this document has', { size: 12, colour: INK, bold: true });
  await sheet.text('They stand as their numbers in brackets; the other formats have them as they are.', SAID);
  await sheet.text(points.join(' '), NOTE);
}
