// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import type { Counted, CountedList } from '../../search/facets.ts';
import { LocalTime } from '../../search/local-time.ts';
import { parseQuery } from '../../search/query-parse.ts';
import { indexForm, namedForm, pageSize, zone } from '../forms.ts';
import { route } from '../route.ts';
import { toldIndex, toldNamed } from '../told.ts';
import { within } from '../within.ts';

const MOST_NAMED = 200;
const USUAL_NAMED = 20;

const list = <Value extends z.ZodType>(value: Value): z.ZodArray<z.ZodObject<{ value: Value; count: z.ZodInt }>> =>
  z.array(z.strictObject({ value, count: z.int() }));
const others = z.int().meta({ description: 'How many further ones there are.' });

/** Asked by body and not by address, as searches are. */
export const facetsRoute = route({
  method: 'POST',
  path: '/facets',
  permission: 'search',
  isLimited: true,
  summary: 'What a query finds, counted: by kind, messenger, conversation, author, custodian, day or month',
  forms: {
    body: z.strictObject({
      query: z.string().max(8000),
      zone,
      span: z.enum(['day', 'month']).default('month'),
      most: pageSize(MOST_NAMED, USUAL_NAMED).meta({
        description: 'How many conversations, authors and custodians are named.',
      }),
    }),
    answer: z.strictObject({
      total: z.int(),
      kinds: list(z.string()),
      apps: list(z.string()),
      conversations: z.strictObject({ counts: list(z.strictObject({ id: z.int(), title: z.string() })), others }),
      authors: z.strictObject({ counts: list(namedForm), others }),
      custodians: z.strictObject({ counts: list(z.string()), others }),
      times: list(z.string()).meta({ description: 'Ascending; days or months without a line are left out.' }),
      unmatched: z.array(z.string()),
      zone: z.string(),
      index: indexForm,
    }),
  },
  answer: async ({ body, identity, signal }, { index }) => {
    const time = new LocalTime(body.zone);
    const query = within(parseQuery(body.query, time), identity);
    const { span, most } = body;
    const found = await index.ask('facets', [query, { zone: time.zone, span, most }], signal);
    return {
      deeds: [{ act: 'search', query: body.query, order: 'facets', hits: found.total, shown: [] }],
      body: {
        total: found.total,
        kinds: [...found.kinds],
        apps: [...found.apps],
        conversations: told(found.conversations, (value) => value),
        authors: told(found.authors, toldNamed),
        custodians: told(found.custodians, (value) => value),
        times: [...found.times],
        unmatched: identity.matters === null ? [...found.unmatched] : [],
        zone: time.zone,
        index: toldIndex(found.state),
      },
    };
  },
});

function told<Value, Told>(
  { counts, others: more }: CountedList<Value>,
  tell: (value: Value) => Told,
): { counts: Counted<Told>[]; others: number } {
  return { counts: counts.map(({ value, count }) => ({ value: tell(value), count })), others: more };
}
