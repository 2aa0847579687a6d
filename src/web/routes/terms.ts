// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import type { Deed } from '../../access/act.ts';
import { termReport, termReportCsv, type TermCount, type TermCounter } from '../../matters/term-report.ts';
import type { QueryThreads } from '../../search/query-threads.ts';
import { route } from '../route.ts';
import { inMatter, matterOf } from './matters.ts';

const body = z.strictObject({
  searches: z
    .array(z.string().max(400))
    .min(1)
    .optional()
    .meta({ description: 'Names of saved searches to count; all if left out. One at a time shows how far it is.' }),
});
const countForm = z
  .strictObject({
    term: z.string(),
    custodian: z.string().nullable().meta({ description: 'Null: whoever it was captured from.' }),
    hits: z.int(),
    unique: z.int().meta({ description: 'Lines that no other saved search of the matter finds.' }),
    families: z.int().meta({ description: 'Conversations with a hit.' }),
  })
  .meta({ id: 'TermCount' });

export const termsRoute = route({
  method: 'POST',
  path: '/matters/:matter/terms',
  permission: 'search',
  summary: 'What each saved search of a matter finds: hits, hits of its own, conversations, by custodian',
  forms: { params: inMatter, body, answer: z.strictObject({ terms: z.array(countForm) }) },
  answer: async (asked, { index }) => {
    const counts = await counted(index, asked.params.matter, asked.body.searches, asked.signal);
    return { deeds: [deedOf(asked.params.matter, counts)], body: { terms: counts } };
  },
});

export const termsCsvRoute = route({
  method: 'POST',
  path: '/matters/:matter/terms/csv',
  permission: 'search',
  summary: 'The same as CSV, in which nothing runs as a formula',
  forms: { params: inMatter, body },
  answer: async (asked, { index }) => {
    const counts = await counted(index, asked.params.matter, asked.body.searches, asked.signal);
    const bytes = Buffer.from(termReportCsv(counts));
    return {
      deeds: [deedOf(asked.params.matter, counts)],
      headers: {
        'content-type': 'text/csv; charset=utf-8',
        'content-disposition': 'attachment; filename="terms.csv"',
        'content-length': String(bytes.length),
      },
      bytes: inOnePiece(bytes),
    };
  },
});

async function* inOnePiece(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function deedOf(matter: string, counts: readonly TermCount[]): Deed {
  return { act: 'report', what: 'terms', matter, items: counts.length };
}

async function counted(
  index: QueryThreads,
  matter: string,
  wanted: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<TermCount[]> {
  const { searches, custodians } = await matterOf(index, matter, signal);
  const counter: TermCounter = {
    count: (query) => index.ask('count', [query], signal),
    families: (query) => index.askActs('families', [query], signal),
  };
  return await termReport(counter, searches, custodians, wanted ?? null);
}
