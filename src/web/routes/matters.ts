// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { TAG, targetForm, type Target } from '../../access/act.ts';
import { Failure } from '../../base/failure.ts';
import type { Matter } from '../../search/acts-db.ts';
import type { QueryThreads } from '../../search/query-threads.ts';
import { route } from '../route.ts';

/*
 * Matters are folded from what readers decided, and each decision is a record of the log. So what is decided here is durable when it is
 * answered, and is seen in the answers of others once the log holds it and the index has read it.
 */

const MOST_LISTED = 1000;
const hex128 = z.string().regex(/^[0-9a-f]{32}$/);
const at = z.iso.datetime();
const made = { at, user: z.string() };

const matterForm = z
  .strictObject({
    matter: hex128,
    name: z.string(),
    state: z.enum(['open', 'closed']),
    custodians: z.array(z.string()),
    searches: z.array(z.strictObject({ name: z.string(), query: z.string() })),
    tags: z.int().meta({ description: 'How many stand.' }),
    notes: z.int(),
    holds: z.int(),
  })
  .meta({ id: 'Matter' });

const inParams = z.strictObject({ matter: hex128 });
const decided = z.strictObject({ matter: hex128 }).meta({
  description: 'It is recorded. It is part of other answers once the log holds it and the index has read it.',
});

export const mattersRoute = route({
  method: 'GET',
  path: '/matters',
  permission: 'matters',
  summary: 'Matters, with what belongs to each in numbers',
  forms: { answer: z.strictObject({ matters: z.array(matterForm) }) },
  answer: async ({ signal }, { index }) => {
    const matters = await index.askActs('matters', [], signal);
    return {
      deeds: [{ act: 'report', what: 'matters', matter: null, items: matters.length }],
      body: { matters: matters.map(toldMatter) },
    };
  },
});

export const matterRoute = route({
  method: 'GET',
  path: '/matters/:matter',
  permission: 'matters',
  summary: 'One matter: its newest tags and notes, its holds',
  forms: {
    params: inParams,
    answer: z.strictObject({
      matter: matterForm,
      tags: z.array(z.strictObject({ tag: z.string(), target: targetForm, ...made })).max(MOST_LISTED),
      notes: z.array(z.strictObject({ text: z.string(), target: targetForm.nullable(), ...made })).max(MOST_LISTED),
      holds: z.array(z.strictObject({ hold: z.string(), scope: z.looseObject({ by: z.string() }), ...made })),
    }),
  },
  answer: async ({ params, signal }, { index }) => {
    const found = await matterOf(index, params.matter, signal);
    const tags = found.tags.slice(-MOST_LISTED).map(({ tag, target, ...rest }) => ({ tag, target, ...toldMade(rest) }));
    const notes = found.notes
      .slice(-MOST_LISTED)
      .map(({ text, target, ...rest }) => ({ text, target, ...toldMade(rest) }));
    const holds = found.holds.map(({ hold, scope, ...rest }) => ({ hold, scope: { ...scope }, ...toldMade(rest) }));
    const items = tags.length + notes.length + holds.length;
    return {
      deeds: [{ act: 'report', what: 'matter', matter: params.matter, items }],
      body: { matter: toldMatter(found), tags, notes, holds },
    };
  },
});

export const beginMatterRoute = route({
  method: 'POST',
  path: '/matters',
  permission: 'decide',
  summary: 'Begin a matter',
  forms: { body: z.strictObject({ name: z.string().trim().min(1).max(400) }), answer: decided },
  answer: async ({ body }) => {
    const matter = randomBytes(16).toString('hex');
    return { deeds: [{ act: 'matter', matter, name: body.name, state: 'open' }], body: { matter } };
  },
});

export const tagRoute = route({
  method: 'POST',
  path: '/matters/:matter/tags',
  permission: 'decide',
  summary: 'Put a tag on a message, a range or a conversation, or take it off',
  forms: {
    params: inParams,
    body: z.strictObject({ tag: z.string().regex(TAG), on: z.boolean().default(true), target: targetForm }),
    answer: decided,
  },
  answer: async ({ params: { matter }, body: { tag, on, target }, signal }, { index }) => {
    await matterOf(index, matter, signal);
    await assertLines(index, target, signal);
    return { deeds: [{ act: 'tag', matter, tag, on, target }], body: { matter } };
  },
});

export const noteRoute = route({
  method: 'POST',
  path: '/matters/:matter/notes',
  permission: 'decide',
  summary: 'Add a note to a matter, or to a message, a range or a conversation in it',
  forms: {
    params: inParams,
    body: z.strictObject({ text: z.string().trim().min(1).max(8000), target: targetForm.nullable().default(null) }),
    answer: decided,
  },
  answer: async ({ params: { matter }, body: { text, target }, signal }, { index }) => {
    await matterOf(index, matter, signal);
    if (target !== null) await assertLines(index, target, signal);
    return { deeds: [{ act: 'note', matter, text, target }], body: { matter } };
  },
});

async function matterOf(index: QueryThreads, id: string, signal: AbortSignal): Promise<Matter> {
  const found = (await index.askActs('mattersCalled', [id], signal)).find(({ matter }) => matter === id);
  if (found !== undefined) return found;
  throw new Failure('matters/not-found', {
    expected: 'the id of a matter',
    got: 'one that none has',
    fix: 'see /api/v1/matters; a new one is there once it is archived and indexed',
  });
}

/** A decision about a message that is not there would stand in the log for ever and mean nothing. */
async function assertLines(index: QueryThreads, target: Target, signal: AbortSignal): Promise<void> {
  for (const leaf of target.what === 'range' ? [target.from, target.to] : [target.leaf]) {
    if (await index.askActs('hasLine', [leaf], signal)) continue;
    throw new Failure('matters/target', { expected: 'the leaf of a message of this archive', got: 'another number' });
  }
}

function toldMatter(matter: Matter): z.input<typeof matterForm> {
  const { custodians, searches, tags, notes, holds, ...own } = matter;
  const counts = { tags: tags.length, notes: notes.length, holds: holds.length };
  return {
    matter: own.matter,
    name: own.name,
    state: own.state,
    custodians: [...custodians],
    searches: [...searches],
    ...counts,
  };
}

function toldMade({ atMs, user }: { readonly atMs: number; readonly user: string }): { at: string; user: string } {
  return { at: new Date(atMs).toISOString(), user };
}
