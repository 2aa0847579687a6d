// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { leafInPath, pageSize } from '../forms.ts';
import { route } from '../route.ts';

const MOST_ACTS = 500;
const USUAL_ACTS = 100;

const actForm = z
  .strictObject({
    id: z.string(),
    leaf: z.int(),
    at: z.iso.datetime(),
    by: z.strictObject({ reader: z.string(), user: z.string(), session: z.string(), via: z.enum(['command', 'web']) }),
    deed: z.looseObject({ act: z.string() }).meta({ description: 'As `Deed` in src/access/act.ts.' }),
  })
  .meta({ id: 'Act' });

export const actsRoute = route({
  method: 'GET',
  path: '/access-log',
  permission: 'access-log',
  summary: 'Who looked at what, decided what, was refused what; newest first, as far as the log holds it',
  forms: {
    query: z.strictObject({
      limit: pageSize(MOST_ACTS, USUAL_ACTS),
      after: z.string().max(60).optional().meta({ description: '`next` of the page before.' }),
      user: z.string().max(400).optional(),
      act: z.string().max(40).optional(),
      leaf: leafInPath
        .optional()
        .meta({ description: 'Only what showed, or decided about, the message of this record.' }),
    }),
    answer: z.strictObject({ acts: z.array(actForm), next: z.string().nullable() }),
  },
  answer: async ({ query, signal }, { index }) => {
    const { limit, after = null, user, act, leaf } = query;
    const only = {
      ...(user === undefined ? {} : { user }),
      ...(act === undefined ? {} : { act }),
      ...(leaf === undefined ? {} : { leaf }),
    };
    const { acts, next } = await index.askActs('accessLog', [{ limit, after, ...only }], signal);
    return {
      deeds: [{ act: 'report', what: 'access-log', matter: null, items: acts.length }],
      body: {
        acts: acts.map(({ id, leaf: own, atMs, by, deed }) => ({
          id,
          leaf: own,
          at: new Date(atMs).toISOString(),
          by,
          deed: { ...deed },
        })),
        next,
      },
    };
  },
});
