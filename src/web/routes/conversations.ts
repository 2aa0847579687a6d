// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { Failure } from '../../base/failure.ts';
import type { Conversation, LinePage } from '../../search/index-db.ts';
import { LocalTime } from '../../search/local-time.ts';
import {
  conversationForm,
  gapForm,
  indexForm,
  leafInPath,
  lineForm,
  mark,
  numberInPath,
  pageSize,
  zone,
} from '../forms.ts';
import { route } from '../route.ts';
import { toldConversation, toldGap, toldIndex, toldLine } from '../told.ts';
import { assertWithin } from '../within.ts';
import { empty } from './status.ts';

const MOST_CONVERSATIONS = 1000;
const USUAL_CONVERSATIONS = 200;
const MOST_FOUND = 200;
/** A place in the list of conversations. */
const PLACE = /^(\d{1,15})\.(\d{1,15})$/;
const MOST_LINES = 200;
const USUAL_LINES = 50;

export const conversationsRoute = route({
  method: 'GET',
  path: '/conversations',
  permission: 'view',
  summary: 'Conversations, the one with the newest line first',
  forms: {
    query: z.strictObject({
      limit: pageSize(MOST_CONVERSATIONS, USUAL_CONVERSATIONS),
      after: z.string().regex(PLACE).optional().meta({
        description:
          '`next` of the page before. A conversation that gets a new line meanwhile is on the first page again.',
      }),
    }),
    answer: z.strictObject({
      total: z.int(),
      conversations: z.array(conversationForm),
      next: z.string().nullable(),
      index: indexForm,
    }),
  },
  answer: async ({ query: { limit, after }, signal }, { index }) => {
    const state = await index.ask('state', [], signal);
    if (state === null) throw empty();
    const all = await index.ask('conversations', [], signal);
    const behind = after === undefined ? all : all.filter((one) => isBehind(one, after));
    const page = behind.slice(0, limit);
    const last = page.at(-1);
    return {
      deeds: [{ act: 'view', leaf: null, lines: page.length }],
      body: {
        total: all.length,
        conversations: page.map(toldConversation),
        next: last === undefined || page.length === behind.length ? null : placeOf(last),
        index: toldIndex(state),
      },
    };
  },
});

/** In the order of the list: by newest line, then by number. */
function placeOf({ lastMs, id }: Conversation): string {
  return `${Math.max(0, lastMs ?? 0)}.${id}`;
}

function isBehind(one: Conversation, place: string): boolean {
  const [, lastMs = '', id = ''] = PLACE.exec(place) ?? [];
  const own = Math.max(0, one.lastMs ?? 0);
  return own < Number(lastMs) || (own === Number(lastMs) && one.id > Number(id));
}

/** By body, as searches are: what it is called may be a name. */
export const findConversationsRoute = route({
  method: 'POST',
  path: '/conversations/find',
  permission: 'view',
  summary: 'Conversations that a title, a name or number of the other side, an identifier or `#number` means',
  forms: {
    body: z.strictObject({ called: z.string().min(1).max(400) }),
    answer: z.strictObject({
      total: z.int(),
      conversations: z.array(conversationForm).max(MOST_FOUND),
      index: indexForm,
    }),
  },
  answer: async ({ body, signal }, { index }) => {
    const state = await index.ask('state', [], signal);
    if (state === null) throw empty();
    const ids = new Set(await index.ask('conversationsCalled', [body.called], signal));
    const found = (await index.ask('conversations', [], signal)).filter(({ id }) => ids.has(id));
    const conversations = found.slice(0, MOST_FOUND).map(toldConversation);
    return {
      deeds: [{ act: 'view', leaf: null, lines: conversations.length }],
      body: { total: found.length, conversations, index: toldIndex(state) },
    };
  },
});

export const conversationRoute = route({
  method: 'GET',
  path: '/conversations/:id',
  permission: 'view',
  summary: 'One conversation, with the gaps of the accounts it was captured from',
  forms: {
    params: z.strictObject({ id: numberInPath }),
    answer: z.strictObject({ conversation: conversationForm, gaps: z.array(gapForm), index: indexForm }),
  },
  answer: async ({ params: { id }, signal }, { index }) => {
    const page = await index.ask('lines', [id, { after: null, limit: 1 }], signal);
    const conversation = await index.ask('conversation', [id], signal);
    const gaps = await index.ask('gaps', [id], signal);
    return {
      deeds: [{ act: 'view', leaf: page.lines[0]?.line.leaves[0] ?? null, lines: gaps.length }],
      body: {
        conversation: toldConversation(conversation),
        gaps: gaps.map(toldGap),
        index: toldIndex(page.state),
      },
    };
  },
});

const direction = z
  .strictObject({
    limit: pageSize(MOST_LINES, USUAL_LINES),
    after: mark.meta({ description: 'Lines behind this mark; without any, from the beginning.' }),
    before: mark.meta({ description: 'Lines in front of this mark.' }),
    around: leafInPath.optional().meta({ description: 'Lines on both sides of that of this record.' }),
    zone,
  })
  .refine(({ after, before, around }) => [after, before, around].filter((one) => one !== undefined).length <= 1, {
    message: 'one of after, before, around',
  });

export const linesRoute = route({
  method: 'GET',
  path: '/conversations/:id/lines',
  permission: 'view',
  summary: 'Lines of a conversation in order of time, each with everything that happened to it',
  forms: {
    params: z.strictObject({ id: numberInPath }),
    query: direction,
    answer: z.strictObject({
      lines: z.array(lineForm),
      before: z.int().nullable().meta({ description: 'Mark for the lines in front of these; null where none are.' }),
      after: z.int().nullable().meta({ description: 'Mark for the lines behind these; null where none are yet.' }),
      zone: z.string(),
      index: indexForm,
    }),
  },
  answer: async ({ params: { id }, query, signal }, { index }) => {
    const { limit, after, before, around } = query;
    const time = new LocalTime(query.zone);
    const ask = (
      page: { after: number | null; limit: number } | { before: number; limit: number },
    ): Promise<LinePage> => index.ask('lines', [id, page], signal);
    const front: LinePage[] = [];
    let back: LinePage | null = null;
    if (around !== undefined) {
      const { conversation, shown } = await index.ask('line', [around], signal);
      if (conversation?.id !== id) throw elsewhere();
      const half = Math.floor(limit / 2);
      if (half > 0) front.push(await ask({ before: shown.id, limit: half }));
      back = await ask({ after: shown.id - 1, limit: limit - half });
    } else if (before !== undefined) front.push(await ask({ before, limit }));
    else back = await ask({ after: after ?? null, limit });
    const pages = [...front, ...(back === null ? [] : [back])];
    const lines = pages.flatMap((page) => page.lines);
    const [first, last] = [lines[0], lines.at(-1)];
    const atBeginning = front.length > 0 ? front[0]?.next === null : after === undefined && around === undefined;
    return {
      deeds: [{ act: 'view', leaf: first?.line.leaves[0] ?? null, lines: lines.length }],
      body: {
        lines: lines.map((line) => toldLine(line, time)),
        before: first === undefined || atBeginning ? null : first.id,
        after: back === null ? (last?.id ?? null) : back.next,
        zone: time.zone,
        // What the earlier answer knew, the later one knows as well.
        index: toldIndex((pages[0] as LinePage).state),
      },
    };
  },
});

export const lineRoute = route({
  method: 'GET',
  path: '/lines/:leaf',
  permission: 'view',
  isLimited: true,
  summary: 'One line by any of its records: a message with all its versions',
  forms: {
    params: z.strictObject({ leaf: leafInPath }),
    query: z.strictObject({ zone }),
    answer: z.strictObject({
      conversation: conversationForm.nullable(),
      line: lineForm,
      zone: z.string(),
      index: indexForm,
    }),
  },
  answer: async ({ params: { leaf }, query, identity, signal }, { index }) => {
    await assertWithin(index, leaf, identity, signal);
    const time = new LocalTime(query.zone);
    const { conversation, shown, state } = await index.ask('line', [leaf], signal);
    return {
      deeds: [{ act: 'view', leaf, lines: 1 }],
      body: {
        conversation: conversation === null ? null : toldConversation(conversation),
        line: toldLine(shown, time),
        zone: time.zone,
        index: toldIndex(state),
      },
    };
  },
});

function elsewhere(): Failure {
  return new Failure('search/not-found', {
    expected: 'the leaf of a record in this conversation',
    got: 'one of another',
    fix: '/lines/{leaf} says which conversation a record stands in',
  });
}
