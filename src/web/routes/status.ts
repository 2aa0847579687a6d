// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { Failure } from '../../base/failure.ts';
import { gapForm, indexForm } from '../forms.ts';
import { route } from '../route.ts';
import { toldGap, toldIndex } from '../told.ts';

export const statusRoute = route({
  method: 'GET',
  path: '/status',
  permission: 'status',
  summary: 'How far the index is complete, and who you are here',
  forms: {
    answer: z.strictObject({
      version: z.string(),
      user: z.string(),
      permissions: z.array(z.string()),
      index: indexForm,
    }),
  },
  answer: async ({ identity, signal }, { index, version }) => {
    const state = await index.ask('state', [], signal);
    if (state === null) throw empty();
    const permissions = [...identity.permissions].toSorted();
    return {
      deeds: 'nothing-shown',
      body: { version, user: identity.user, permissions, index: toldIndex(state) },
    };
  },
});

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
