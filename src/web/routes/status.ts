// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Failure } from '../../base/failure.ts';
import type { IndexState } from '../../search/index-db.ts';
import type { QueryThreads } from '../../search/query-threads.ts';
import { gapForm, indexForm, mark, pageSize } from '../forms.ts';
import { route } from '../route.ts';
import { toldGap, toldIndex } from '../told.ts';

const MOST_WAIT_SECONDS = 30;
const USUAL_WAIT_SECONDS = 20;
const LOOK_EVERY_MS = 250;

export const statusRoute = route({
  method: 'GET',
  path: '/status',
  permission: 'status',
  isLimited: true,
  summary: 'How far the index is complete, and who you are here; at once, or as soon as it has grown',
  forms: {
    query: z.strictObject({
      behind: mark.meta({
        description: 'A checkpoint that is known: the answer waits until the index is complete up to a later one.',
      }),
      wait: pageSize(MOST_WAIT_SECONDS, USUAL_WAIT_SECONDS).meta({
        description: 'Seconds; then it answers in any case.',
      }),
    }),
    answer: z.strictObject({
      version: z.string(),
      user: z.string(),
      permissions: z.array(z.string()),
      matters: z
        .array(z.string())
        .nullable()
        .meta({ description: 'Ids of the matters you see, and nothing else; null: everything.' }),
      proof: z.string().nullable().meta({
        description:
          'Where you are signed on by a cookie: to be sent as `Holdfast-Proof` with whatever changes something.',
      }),
      index: indexForm,
    }),
  },
  answer: async ({ identity, query, signal }, { index, version }) => {
    const state = await grown(index, query.behind, query.wait * 1000, signal);
    const permissions = [...identity.permissions].toSorted();
    return {
      deeds: 'nothing-shown',
      body: {
        version,
        user: identity.user,
        permissions,
        matters: identity.matters === null ? null : [...identity.matters],
        proof: identity.proof,
        index: toldIndex(state),
      },
    };
  },
});

/** The state behind a checkpoint, or what it is when the time is up. */
async function grown(
  index: QueryThreads,
  behind: number | undefined,
  waitMs: number,
  signal: AbortSignal,
): Promise<IndexState> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    const state = await index.ask('state', [], signal);
    if (state === null) throw empty();
    if (behind === undefined || state.position.size > behind || performance.now() >= endMs) return state;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

export const gapsRoute = route({
  method: 'GET',
  path: '/gaps',
  permission: 'view',
  summary: 'What the log itself says is missing, of all accounts',
  forms: { answer: z.strictObject({ gaps: z.array(gapForm), index: indexForm }) },
  answer: async ({ signal }, { index }) => {
    // The state first: what it says is complete is then in the list.
    const state = await index.ask('state', [], signal);
    if (state === null) throw empty();
    const gaps = await index.ask('gaps', [null], signal);
    return {
      deeds: [{ act: 'view', leaf: null, lines: gaps.length }],
      body: { gaps: gaps.map(toldGap), index: toldIndex(state) },
    };
  },
});

export const documentRoute = route({
  method: 'GET',
  path: '/openapi.json',
  permission: 'status',
  isLimited: true,
  summary: 'This document',
  forms: { answer: z.looseObject({ openapi: z.string() }) },
  answer: async (_asked, { document }) => {
    return { deeds: 'nothing-shown', body: document as { openapi: string } };
  },
});

export function empty(): Failure {
  return new Failure('search/index-missing', {
    expected: 'an index that something was read into',
    got: 'an empty one',
    fix: 'wait until `holdfast read` has read the archive',
  });
}
