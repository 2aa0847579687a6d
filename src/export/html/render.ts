// SPDX-License-Identifier: AGPL-3.0-or-later
import { countOf } from '../../base/counted.ts';
import { plainLine } from '../../search/plain-text.ts';
import { itemsOf } from '../item.ts';
import { MemberTracker, membersText } from '../members.ts';
import type { PlannedLine } from '../plan.ts';
import type { Rendering } from '../rendering.ts';
import { statementOf } from '../statement.ts';
import { Tally } from '../tally.ts';
import { lineElement } from './line.ts';
import { escaped, isolated } from './markup.ts';
import type { Page, Run } from './pages.ts';
import { POLICY, STYLE } from './style.ts';

/** One page: whole by itself, without scripts, network or anything beside it but the files it links to. */
export async function* htmlPage(rendering: Rendering, page: Page, pages: readonly Page[]): AsyncGenerator<string> {
  const tally = new Tally();
  yield head(page, pages);
  if (page.number === 1) yield cover(rendering, pages);
  yield navigation(page, pages);
  for (const run of page.runs) {
    yield conversationHead(run);
    yield* runElements(rendering, run, tally);
  }
  yield navigation(page, pages);
  tally.assertEqual(linesOn(page), page.file);
  yield foot(rendering, page, pages);
}

function* linesOn({ runs }: Page): Generator<PlannedLine> {
  for (const { conversation, from, end } of runs) yield* conversation.lines.slice(from, end);
}

async function* runElements(rendering: Rendering, run: Run, tally: Tally): AsyncGenerator<string> {
  const { snapshot, zone, onLine } = rendering;
  const { conversation, from, end } = run;
  const members = new MemberTracker();
  let day = '';
  for await (const item of itemsOf(snapshot, conversation, from, end)) {
    const { skipped } = item.planned;
    if (skipped > 0) yield skip(skipped);
    const now = zone.day(item.shown.atMs);
    if (now !== day) yield `<div class="day">${now}</div>\n`;
    day = now;
    const membership = members.of(item);
    if (membership?.isNew === true) yield `<p class="sub" dir="auto">${escaped(membersText(membership))}</p>\n`;
    yield await lineElement(item, rendering);
    tally.out(item.planned);
    onLine();
  }
  if (end === conversation.lines.length && conversation.skippedAfter > 0) yield skip(conversation.skippedAfter);
}

function skip(lines: number): string {
  return `<div class="skip">${countOf(lines, 'line')} of this conversation ${lines === 1 ? 'is' : 'are'} not part of this export</div>\n`;
}

function head({ number }: Page, { length }: readonly Page[]): string {
  const title = length === 1 ? 'Messages' : `Messages, page ${number} of ${length}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(POLICY)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
`;
}

function cover(rendering: Rendering, pages: readonly Page[]): string {
  const parts = statementOf(rendering).map(
    ({ title, lines }) =>
      `<h2>${escaped(title)}</h2>\n<ul>${lines.map((line) => `<li dir="auto">${escaped(line)}</li>`).join('\n')}</ul>\n`,
  );
  const rows = rendering.plan.conversations.map(({ key, number, title, facts, lines, hits }) => {
    const page = pages.find(({ runs }) => runs.some(({ conversation }) => conversation.key === key));
    const link = `<a href="${page?.number === 1 ? '' : (page?.file ?? '')}#${key}">${isolated(plainLine(title))}</a>`;
    const cells = [number, link, escaped(`${facts.app}, ${facts.type}`), lines.length, hits];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const names = ['No.', 'Conversation', 'Where', 'Lines', 'Hits'].map((name) => `<th>${name}</th>`).join('');
  return `${parts.join('')}<h2>Conversations</h2>\n<table><tr>${names}</tr>\n${rows.join('\n')}\n</table>\n`;
}

function conversationHead({ conversation, from }: Run): string {
  const { key, number, title, facts, lines, total, hits } = conversation;
  const id = from === 0 ? ` id="${key}"` : '';
  const rest = from === 0 ? '' : ', continued';
  const counts = `${lines.length} of ${countOf(total, 'line')} exported, ${countOf(hits, 'hit')}`;
  return `<h2 class="conversation"${id}>${number}. ${isolated(plainLine(title))}${rest}</h2>
<p class="sub">${escaped(`${facts.app}, ${facts.type}, ${key}; ${counts}`)}</p>
`;
}

function navigation({ number }: Page, pages: readonly Page[]): string {
  if (pages.length === 1) return '';
  const link = (to: Page | undefined, text: string): string =>
    to === undefined ? '<span></span>' : `<a href="${to.file}">${text}</a>`;
  const first = number === 1 ? '<span></span>' : link(pages[0], 'first page');
  return `<nav>${link(pages[number - 2], '← before')}${first}${link(pages[number], 'next →')}</nav>\n`;
}

function foot({ provenance, zone, plan }: Rendering, { number }: Page, { length }: readonly Page[]): string {
  const { origin, checkpoint, generator } = provenance;
  const lines = countOf(plan.lines, 'line');
  const where = `${plainLine(origin)}, checkpoint ${checkpoint.size} of ${checkpoint.at}`;
  return `<footer>page ${number} of ${length}; ${lines} in this export; times in ${escaped(zone.zone)}; ${escaped(where)}; ${escaped(generator)}</footer>
</body>
</html>
`;
}
