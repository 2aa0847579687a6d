// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import { LocalTime } from '../../search/local-time.ts';
import { parseQuery } from '../../search/query-parse.ts';
import { hitForm, indexForm, pageSize, zone } from '../forms.ts';
import { route } from '../route.ts';
import { toldHit, toldIndex } from '../told.ts';
import { within } from '../within.ts';

const MOST_HITS = 200;
const USUAL_HITS = 50;

/** Asked by body and not by address: addresses are kept by browsers and proxies. */
export const searchRoute = route({
  method: 'POST',
  path: '/search',
  permission: 'search',
  isLimited: true,
  summary: 'Find messages: the query language of src/search/README.md',
  forms: {
    body: z.strictObject({
      query: z.string().max(8000),
      order: z.enum(['newest', 'oldest', 'relevance']).default('newest'),
      limit: pageSize(MOST_HITS, USUAL_HITS),
      after: z.string().max(60).nullable().default(null).meta({ description: '`next` of the page before.' }),
      zone,
      count: z.boolean().default(true).meta({ description: 'False where the total is known from the page before.' }),
    }),
    answer: z.strictObject({
      total: z.int().nullable().meta({ description: 'Exactly how many lines match; null where it was not asked for.' }),
      hits: z.array(hitForm),
      next: z.string().nullable().meta({ description: 'What to ask for next; null behind the last page.' }),
      unmatched: z.array(z.string()).meta({ description: 'Names in the query that nobody and nothing here bears.' }),
      zone: z.string(),
      index: indexForm,
    }),
  },
  answer: async ({ body, identity, signal }, { index }) => {
    const { order, limit, after } = body;
    const time = new LocalTime(body.zone);
    const query = within(parseQuery(body.query, time), identity);
    const [page, total] = await Promise.all([
      index.ask('search', [query, { order, limit, after }], signal),
      body.count ? index.ask('count', [query], signal) : null,
    ]);
    const { hits, next, unmatched, state } = page;
    const shown = hits.map(({ leaf }) => leaf);
    return {
      deeds: [{ act: 'search', query: body.query, order, hits: total ?? hits.length, shown }],
      body: {
        total,
        hits: hits.map((hit) => toldHit(hit, query, time)),
        next,
        // Whether somebody is in the archive at all is more than the limited may know.
        unmatched: identity.matters === null ? [...unmatched] : [],
        zone: time.zone,
        index: toldIndex(state),
      },
    };
  },
});
