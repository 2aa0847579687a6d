// SPDX-License-Identifier: AGPL-3.0-or-later
import { z } from 'zod';
import type { Deed } from '../../access/act.ts';
import { directoryDeeds, readDirectory } from '../../matters/directory-csv.ts';
import { mark, pageSize } from '../forms.ts';
import { route } from '../route.ts';

const MOST_ROWS = 5000;
const USUAL_ROWS = 500;
const MOST_BYTES = 16 * 1024 * 1024;

const day = z.iso.date().nullable();

export const directoryRoute = route({
  method: 'GET',
  path: '/directory',
  permission: 'directory',
  summary: 'The agency’s directory in force: whose an identifier or number is, and from when until when',
  forms: {
    query: z.strictObject({
      limit: pageSize(MOST_ROWS, USUAL_ROWS),
      after: mark.meta({ description: '`next` of the page before; a version never changes, so compare `version`.' }),
    }),
    answer: z.strictObject({
      version: z.string().nullable().meta({ description: 'Null where none was imported.' }),
      at: z.iso.datetime().nullable(),
      total: z.int(),
      rows: z.array(z.strictObject({ identifier: z.string(), custodian: z.string(), from: day, to: day })),
      next: z.int().nullable(),
    }),
  },
  answer: async ({ query: { limit, after = 0 }, signal }, { index }) => {
    const found = await index.askActs('directory', [], signal);
    const all = found?.rows ?? [];
    const rows = all.slice(after, after + limit);
    return {
      deeds: [{ act: 'report', what: 'directory', matter: null, items: rows.length }],
      body: {
        version: found?.version ?? null,
        at: found === null ? null : new Date(found.atMs).toISOString(),
        total: all.length,
        rows: rows.map(({ identifier, custodian, fromMs, toMs }) => {
          return { identifier, custodian, from: dayOf(fromMs), to: dayOf(toMs) };
        }),
        next: after + rows.length < all.length ? after + rows.length : null,
      },
    };
  },
});

export const importDirectoryRoute = route({
  method: 'POST',
  path: '/directory',
  permission: 'directory-change',
  summary: 'Put a new version of the directory into force: CSV with identifier, custodian, from, to',
  mostBytes: MOST_BYTES,
  forms: {
    body: z.strictObject({ csv: z.string().min(1).max(MOST_BYTES) }),
    answer: z.strictObject({ version: z.string(), rows: z.int() }),
  },
  answer: async ({ body }) => {
    const rows = readDirectory(body.csv);
    const deeds = directoryDeeds(rows);
    const [first] = deeds;
    if (first?.act !== 'directory') throw new RangeError('a directory has at least one part');
    const all: [Deed, ...Deed[]] = [first, ...deeds.slice(1)];
    return { deeds: all, body: { version: first.version, rows: rows.length } };
  },
});

function dayOf(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString().slice(0, 10);
}
