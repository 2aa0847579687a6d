// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFile } from 'node:fs/promises';
import { lineKey, type Item } from '../item.ts';
import type { Rendering } from '../rendering.ts';
import { tell, type Telling, type ToldFile } from '../telling.ts';
import { escaped, isolated } from './markup.ts';

/** Pictures up to this length stand in the page; larger ones, and all else, are links to the files beside it. */
const MOST_INLINE_BYTES = 384 * 1024;
const SHOWN: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

/** One line as an element whose `id` names it in every format. */
export async function lineElement(item: Item, rendering: Rendering): Promise<string> {
  const telling = tell(item, rendering);
  const { who, whoElse, at, said, marks, notes, files, rest } = telling;
  const key = lineKey(item);
  const name = who === '' ? '' : `<span class="who">${isolated(who)}</span>`;
  const beside = whoElse === '' ? '' : `<span class="sub">${isolated(whoElse)}</span>`;
  const shownMarks = marks
    .filter((mark) => mark !== 'not said')
    .map((mark) => `<span class="mark ${mark.replace(' ', '-')}">${mark}</span>`);
  const figures: string[] = [];
  for (const file of files) figures.push(await fileElement(file, rendering));
  return [
    `<article id="${key}" class="${classOf(item, telling, rendering)}">`,
    `<header>${name}${beside}${shownMarks.join('')}<a class="time" href="#${key}">${escaped(at)}</a></header>`,
    ...said.map((text) => `<p class="said" dir="auto">${escaped(text)}</p>`),
    ...figures,
    ...(notes.length === 0
      ? []
      : [`<ul class="notes">${notes.map((note) => `<li dir="auto">${escaped(note)}</li>`).join('')}</ul>`]),
    ...(rest.length === 0
      ? []
      : [
          `<details><summary>as the archive holds it</summary>${rest.map((one) => `<pre dir="ltr">${escaped(one)}</pre>`).join('')}</details>`,
        ]),
    `<div class="sub">${key}, ${records(item)}</div>`,
    '</article>\n',
  ].join('\n');
}

function records({ records: all }: Item): string {
  const [first] = all;
  const more = all.length > 1 ? ` and ${all.length - 1} more` : '';
  return first === undefined ? 'no record' : `record ${first.id.slice(0, 16)}…${more}`;
}

function classOf({ planned, records: all }: Item, { marks }: Telling, { plan }: Rendering): string {
  const isSystem = marks.includes('not said');
  const said = all.find(({ view }) => view?.kind === 'message' || view?.kind === 'edit');
  const isOut = said?.view?.direction === 'out';
  return [
    isSystem ? 'system' : isOut ? 'out' : 'in',
    ...(marks.includes('archive note') ? ['archive'] : []),
    ...(planned.isHit && plan.hits < plan.lines ? ['hit'] : []),
  ].join(' ');
}

async function fileElement({ label, state, lie, exported }: ToldFile, { staging }: Rendering): Promise<string> {
  const path = exported?.path ?? null;
  const name = path === null ? isolated(label) : `<a href="${escaped(path)}" download>${isolated(label)}</a>`;
  const warning = lie === null ? '' : `; <strong class="lie">${escaped(lie)}</strong>`;
  const text = `<figcaption>${name}: <bdi${path === null ? ' class="gone"' : ''}>${escaped(state)}</bdi>${warning}</figcaption>`;
  const isShown = exported !== null && SHOWN.has(exported.type ?? '') && exported.size <= MOST_INLINE_BYTES;
  if (path === null || !isShown) return `<figure>${text}</figure>`;
  const bytes = await readFile(staging.pathOf(path));
  return `<figure><img alt="" src="data:${escaped(exported.type ?? '')};base64,${bytes.toString('base64')}">${text}</figure>`;
}
