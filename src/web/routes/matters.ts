// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { targetForm } from '../../access/act.ts';
import { Failure } from '../../base/failure.ts';
import { sha256Hex } from '../../record/hash.ts';
import type { Matter } from '../../search/acts-db.ts';
import type { QueryThreads } from '../../search/query-threads.ts';
import type { Identity } from '../authenticator.ts';
import { pageSize } from '../forms.ts';
import { route } from '../route.ts';

/*
 * Matters are folded from what readers decided, and each decision is a record of the log. So what is decided is durable when it is
 * answered (decisions.ts), and is seen in the answers of others once the log holds it and the index has read it.
 */

const MOST_LISTED = 1000;
const USUAL_LISTED = 200;
const MARK = /^(\d{1,15})\.([0-9a-f]{16})$/;
export const hex128 = z.string().regex(/^[0-9a-f]{32}$/);
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
    tagged: z.record(z.string(), z.int()).meta({ description: 'How many of each tag.' }),
    notes: z.int(),
    holds: z.int(),
  })
  .meta({ id: 'Matter' });
const tagForm = z.strictObject({ tag: z.string(), target: targetForm, ...made });
const noteForm = z.strictObject({ text: z.string(), target: targetForm.nullable(), ...made });

export const inMatter = z.strictObject({ matter: hex128 });
const listing = z.strictObject({
  limit: pageSize(MOST_LISTED, USUAL_LISTED),
  after: z.string().regex(MARK).optional().meta({ description: '`next` of the page before.' }),
});

export const mattersRoute = route({
  method: 'GET',
  path: '/matters',
  permission: 'matters',
  isLimited: true,
  summary: 'Matters, with what belongs to each in numbers',
  forms: { answer: z.strictObject({ matters: z.array(matterForm) }) },
  answer: async ({ identity, signal }, { index }) => {
    const all = await index.askActs('matters', [], signal);
    const matters = all.filter(({ matter }) => identity.matters?.includes(matter) ?? true);
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
  isLimited: true,
  summary: 'One matter, and what its holds are on',
  forms: {
    params: inMatter,
    answer: z.strictObject({
      matter: matterForm,
      holds: z.array(z.strictObject({ hold: z.string(), scope: z.looseObject({ by: z.string() }), ...made })),
    }),
  },
  answer: async ({ params, identity, signal }, { index }) => {
    const found = await matterOf(index, params.matter, signal, identity);
    const holds = found.holds.map(({ hold, scope, ...rest }) => ({ hold, scope: { ...scope }, ...toldMade(rest) }));
    return {
      deeds: [{ act: 'report', what: 'matter', matter: params.matter, items: holds.length }],
      body: { matter: toldMatter(found), holds },
    };
  },
});

export const tagsRoute = route({
  method: 'GET',
  path: '/matters/:matter/tags',
  permission: 'matters',
  isLimited: true,
  summary: 'Tags that stand in a matter, the newest first',
  forms: {
    params: inMatter,
    query: listing,
    answer: z.strictObject({ tags: z.array(tagForm), next: z.string().nullable() }),
  },
  answer: async ({ params, query, identity, signal }, { index }) => {
    const { tags: all } = await matterOf(index, params.matter, signal, identity);
    const { page, next } = pageOf(all, query, ({ tag, target }) => `${tag} ${JSON.stringify(target)}`);
    const tags = page.map(({ tag, target, ...rest }) => ({ tag, target, ...toldMade(rest) }));
    return {
      deeds: [{ act: 'report', what: 'tags', matter: params.matter, items: tags.length }],
      body: { tags, next },
    };
  },
});

export const notesRoute = route({
  method: 'GET',
  path: '/matters/:matter/notes',
  permission: 'matters',
  isLimited: true,
  summary: 'Notes in a matter, the newest first',
  forms: {
    params: inMatter,
    query: listing,
    answer: z.strictObject({ notes: z.array(noteForm), next: z.string().nullable() }),
  },
  answer: async ({ params, query, identity, signal }, { index }) => {
    const { notes: all } = await matterOf(index, params.matter, signal, identity);
    const { page, next } = pageOf(all, query, ({ text, target }) => `${JSON.stringify(target)} ${text}`);
    const notes = page.map(({ text, target, ...rest }) => ({ text, target, ...toldMade(rest) }));
    return {
      deeds: [{ act: 'report', what: 'notes', matter: params.matter, items: notes.length }],
      body: { notes, next },
    };
  },
});

/** The newest first. A mark names a moment and a thing and no place, so that what is added or taken back meanwhile shifts nothing. */
function pageOf<Item extends { readonly atMs: number }>(
  all: readonly Item[],
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  named: (item: Item) => string,
): { page: Item[]; next: string | null } {
  const [, afterMs = '', afterKey = ''] = after === undefined ? [] : (MARK.exec(after) ?? []);
  const keyed = all.map((item) => ({ item, key: sha256Hex(named(item)).slice(0, 16) }));
  const sorted = keyed.toSorted((a, b) => b.item.atMs - a.item.atMs || (a.key < b.key ? -1 : 1));
  const behind = sorted.filter(
    ({ item: { atMs }, key }) =>
      after === undefined || atMs < Number(afterMs) || (atMs === Number(afterMs) && key > afterKey),
  );
  const page = behind.slice(0, limit);
  const last = page.at(-1);
  const next = last === undefined || page.length === behind.length ? null : `${last.item.atMs}.${last.key}`;
  return { page: page.map(({ item }) => item), next };
}

/** Throws `matters/not-found` for one that there is not, or that whoever asks may not see. */
export async function matterOf(
  index: QueryThreads,
  id: string,
  signal: AbortSignal,
  by: Pick<Identity, 'matters'> | null = null,
): Promise<Matter> {
  const found = (await index.askActs('mattersCalled', [id], signal)).find(({ matter }) => matter === id);
  const isTheirs = by === null || by.matters === null || by.matters.includes(id);
  if (found !== undefined && isTheirs) return found;
  throw new Failure('matters/not-found', {
    expected: 'the id of a matter',
    got: 'one that none has',
    fix: 'see /api/v1/matters; a new one is there once it is archived and indexed',
  });
}

function toldMatter(matter: Matter): z.input<typeof matterForm> {
  const { custodians, searches, tags, notes, holds, ...own } = matter;
  const tagged: Record<string, number> = {};
  for (const { tag } of tags) tagged[tag] = (tagged[tag] ?? 0) + 1;
  return {
    matter: own.matter,
    name: own.name,
    state: own.state,
    custodians: [...custodians],
    searches: [...searches],
    tags: tags.length,
    tagged,
    notes: notes.length,
    holds: holds.length,
  };
}

export function toldMade({ atMs, user }: { readonly atMs: number; readonly user: string }): {
  at: string;
  user: string;
} {
  return { at: new Date(atMs).toISOString(), user };
}
