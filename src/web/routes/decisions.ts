// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { TAG, targetForm, type Deed, type Target } from '../../access/act.ts';
import { Failure } from '../../base/failure.ts';
import { LocalTime } from '../../search/local-time.ts';
import { keptQuery } from '../../search/kept-query.ts';
import { parseQuery } from '../../search/query-parse.ts';
import type { QueryThreads } from '../../search/query-threads.ts';
import { pageSize, zone } from '../forms.ts';
import { route } from '../route.ts';
import { hex128, inMatter, matterOf } from './matters.ts';

/** Tags that one request puts: each is a record of its own, and all are written together. */
const MOST_TAGGED = 200;

const name = z.string().trim().min(1).max(400);
const tag = z.string().regex(TAG);
const decided = z.strictObject({ matter: hex128 }).meta({
  description: 'It is recorded. It is part of other answers once the log holds it and the index has read it.',
});

export const beginMatterRoute = route({
  method: 'POST',
  path: '/matters',
  permission: 'decide',
  summary: 'Begin a matter',
  forms: { body: z.strictObject({ name }), answer: decided },
  answer: async ({ body }) => {
    const matter = randomBytes(16).toString('hex');
    return { deeds: [{ act: 'matter', matter, name: body.name, state: 'open' }], body: { matter } };
  },
});

export const changeMatterRoute = route({
  method: 'POST',
  path: '/matters/:matter',
  permission: 'decide',
  summary: 'Close a matter, open it again, or call it otherwise; nothing of it is lost',
  forms: {
    params: inMatter,
    body: z.strictObject({ name: name.optional(), state: z.enum(['open', 'closed']).optional() }),
    answer: decided,
  },
  answer: async ({ params: { matter }, body, signal }, { index }) => {
    const now = await matterOf(index, matter, signal);
    const { name: called = now.name, state = now.state } = body;
    return { deeds: [{ act: 'matter', matter, name: called, state }], body: { matter } };
  },
});

export const custodianRoute = route({
  method: 'POST',
  path: '/matters/:matter/custodians',
  permission: 'decide',
  summary: 'Add a custodian to a matter, or take one out',
  forms: {
    params: inMatter,
    body: z.strictObject({ custodian: name, on: z.boolean().default(true) }),
    answer: decided,
  },
  answer: async ({ params: { matter }, body: { custodian, on }, signal }, { index }) => {
    await matterOf(index, matter, signal);
    return { deeds: [{ act: 'custodian', matter, custodian, on }], body: { matter } };
  },
});

export const saveSearchRoute = route({
  method: 'POST',
  path: '/matters/:matter/searches',
  permission: 'decide',
  summary: 'Save a search in a matter, under a name that `saved:` finds; without a query it is taken back',
  forms: {
    params: inMatter,
    body: z.strictObject({ name, query: z.string().max(8000).nullable() }),
    answer: decided,
  },
  answer: async ({ params: { matter }, body, signal }, { index }) => {
    await matterOf(index, matter, signal);
    const query = body.query === null ? null : keptQuery(body.query);
    return { deeds: [{ act: 'saved-search', matter, name: body.name, query }], body: { matter } };
  },
});

export const tagRoute = route({
  method: 'POST',
  path: '/matters/:matter/tags',
  permission: 'decide',
  summary: 'Put a tag on messages, ranges or conversations, or take it off: on all that are named, or on none',
  forms: {
    params: inMatter,
    body: z.strictObject({ tag, on: z.boolean().default(true), targets: z.array(targetForm).min(1).max(MOST_TAGGED) }),
    answer: decided,
  },
  answer: async ({ params: { matter }, body, signal }, { index }) => {
    await matterOf(index, matter, signal);
    await assertLines(index, body.targets, signal);
    const [first, ...rest] = body.targets.map((target): Deed => tagDeed(matter, body, target));
    return { deeds: [first as Deed, ...rest], body: { matter } };
  },
});

export const tagFoundRoute = route({
  method: 'POST',
  path: '/matters/:matter/tags/found',
  permission: 'decide',
  summary: 'Tag what a search finds, page by page: whoever asks sees how far it is, and ends it by asking no more',
  forms: {
    params: inMatter,
    body: z.strictObject({
      tag,
      on: z.boolean().default(true),
      query: z.string().max(8000),
      zone,
      limit: pageSize(MOST_TAGGED, MOST_TAGGED),
      after: z.string().max(60).nullable().default(null).meta({ description: '`next` of the page before.' }),
    }),
    answer: z.strictObject({ matter: hex128, tagged: z.int(), next: z.string().nullable() }),
  },
  answer: async ({ params: { matter }, body, signal }, { index }) => {
    await matterOf(index, matter, signal);
    const query = parseQuery(body.query, new LocalTime(body.zone));
    const { limit, after } = body;
    const { hits, next } = await index.ask('search', [query, { order: 'newest', limit, after }], signal);
    const tags = hits.map(({ leaf }): Deed => tagDeed(matter, body, { what: 'message', leaf }));
    const search: Deed = { act: 'search', query: body.query, order: 'newest', hits: hits.length, shown: [] };
    return { deeds: [search, ...tags], body: { matter, tagged: hits.length, next } };
  },
});

export const noteRoute = route({
  method: 'POST',
  path: '/matters/:matter/notes',
  permission: 'decide',
  summary: 'Add a note to a matter, or to a message, a range or a conversation in it',
  forms: {
    params: inMatter,
    body: z.strictObject({ text: z.string().trim().min(1).max(8000), target: targetForm.nullable().default(null) }),
    answer: decided,
  },
  answer: async ({ params: { matter }, body: { text, target }, signal }, { index }) => {
    await matterOf(index, matter, signal);
    if (target !== null) await assertLines(index, [target], signal);
    return { deeds: [{ act: 'note', matter, text, target }], body: { matter } };
  },
});

function tagDeed(matter: string, { tag: word, on }: { readonly tag: string; readonly on: boolean }, to: Target): Deed {
  return { act: 'tag', matter, tag: word, on, target: to };
}

/** A decision about a message that is not there would stand in the log for ever and mean nothing. */
export async function assertLines(index: QueryThreads, targets: readonly Target[], signal: AbortSignal): Promise<void> {
  const leaves = targets.flatMap((target) => (target.what === 'range' ? [target.from, target.to] : [target.leaf]));
  for (const leaf of new Set(leaves)) {
    if (await index.askActs('hasLine', [leaf], signal)) continue;
    throw new Failure('matters/target', { expected: 'the leaf of a message of this archive', got: 'another number' });
  }
}
