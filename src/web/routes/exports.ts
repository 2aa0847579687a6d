// SPDX-License-Identifier: AGPL-3.0-or-later
import { create } from 'content-disposition';
import { z } from 'zod';
import type { Deed } from '../../access/act.ts';
import { BATES, DEFAULT_BATES, parseBates } from '../../export/bates.ts';
import type { ExportJob } from '../../export/desk/export-desk.ts';
import type { ExportRequest } from '../../export/desk/export-run.ts';
import { EXPORT_ID } from '../../export/desk/export-shelf.ts';
import { FORMATS } from '../../export/formats.ts';
import { PROOFS } from '../../export/rendering.ts';
import { DEFAULT_CONTEXT, selectionText, type Selection } from '../../export/selection.ts';
import { LocalTime } from '../../search/local-time.ts';
import { parseQuery } from '../../search/query-parse.ts';
import { mark, pageSize, zone } from '../forms.ts';
import { route } from '../route.ts';

const MOST_FILES = 1000;
const USUAL_FILES = 200;
const MOST_RECORDS = 900;
const MOST_AROUND = 9_999_999;
/** What an act may say of what was asked for. */
const MOST_WORDS = 380;

const inPath = z.strictObject({ export: z.string().regex(EXPORT_ID) });
const orderForm = z.strictObject({
  selection: z.discriminatedUnion('by', [
    z.strictObject({ by: z.literal('query'), query: z.string().max(8000) }),
    z.strictObject({
      by: z.literal('conversation'),
      name: z.string().min(1).max(400).meta({ description: '`#number`, title, or the other one’s name.' }),
    }),
    z.strictObject({
      by: z.literal('records'),
      ids: z
        .array(z.string().regex(/^[0-9a-f]{64}$/))
        .min(1)
        .max(MOST_RECORDS),
    }),
  ]),
  formats: z
    .array(z.enum(FORMATS))
    .min(1)
    .max(FORMATS.length)
    .default([...FORMATS]),
  zone,
  context: z
    .strictObject({
      around: z.int().min(0).max(MOST_AROUND).default(DEFAULT_CONTEXT.around),
      wholeUpTo: z.int().min(0).max(MOST_AROUND).default(DEFAULT_CONTEXT.wholeUpTo),
    })
    .prefault({})
    .meta({ description: 'How much of a conversation comes with a hit; as of the command line.' }),
  proofs: z
    .enum(PROOFS)
    .default('records')
    .meta({ description: 'What is proven of the records: that they are in the log, or also what they say.' }),
  bates: z.string().regex(BATES).default(DEFAULT_BATES).meta({ description: 'Number of the first page.' }),
});

const ordered = z.strictObject({ export: z.string() });
const jobForm = z
  .strictObject({
    export: z.string(),
    user: z.string(),
    at: z.iso.datetime(),
    selection: z.string().meta({ description: 'In words, as in the export.' }),
    formats: z.array(z.enum(FORMATS)),
    zone: z.string(),
    state: z.enum(['waiting', 'running', 'finished', 'failed']),
    estimate: z
      .strictObject({ conversations: z.int(), lines: z.int(), hits: z.int(), files: z.int(), fileBytes: z.int() })
      .nullable()
      .meta({ description: 'Null until the export is counted and recorded.' }),
    progress: z.strictObject({ step: z.string(), done: z.int(), total: z.int() }).nullable(),
    summary: z
      .strictObject({
        checkpoint: z.strictObject({ size: z.int(), root: z.string(), at: z.string() }),
        counts: z.record(z.string(), z.int()),
        unmatched: z.array(z.string()).meta({ description: 'Names in the query that nobody and nothing here bears.' }),
        files: z.int(),
        bytes: z.int(),
        manifestSha256: z.string(),
      })
      .nullable()
      .meta({ description: 'Of a finished one.' }),
    failed: z.string().nullable().meta({ description: 'Code of why it failed: docs/errors.md.' }),
  })
  .meta({ id: 'Export' });

export const orderExportRoute = route({
  method: 'POST',
  path: '/exports',
  permission: 'export',
  summary: 'Order an export: it is written to the reader’s own folder, one at a time',
  forms: { body: orderForm, answer: ordered },
  answer: async ({ body, identity }, { exports }) => {
    const request = requestOf(body);
    exports.assertRoom();
    const { user, session } = identity;
    return {
      deeds: [report(`export asked for: ${selectionText(request.selection)}`.slice(0, MOST_WORDS), 0)],
      done: async () => ({ export: await exports.order(request, { user, session, via: 'web' }) }),
    };
  },
});

export const exportsRoute = route({
  method: 'GET',
  path: '/exports',
  permission: 'exports',
  summary: 'Exports that wait, are written, are finished or failed; the newest first',
  forms: { answer: z.strictObject({ exports: z.array(jobForm) }) },
  answer: async (_asked, { exports }) => {
    const { jobs } = exports;
    return { deeds: [report('exports', jobs.length)], body: { exports: jobs.map(toldJob) } };
  },
});

/** Asked for again and again while an export is written: what it tells is in the record of the order and of the export. */
export const exportRoute = route({
  method: 'GET',
  path: '/exports/:export',
  permission: 'exports',
  summary: 'How far an export is',
  forms: { params: inPath, answer: jobForm },
  answer: async ({ params }, { exports }) => {
    return { deeds: 'nothing-shown', body: toldJob(exports.job(params.export)) };
  },
});

export const exportFilesRoute = route({
  method: 'GET',
  path: '/exports/:export/files',
  permission: 'exports',
  summary: 'Files of a finished export, by name, with length and hash',
  forms: {
    params: inPath,
    query: z.strictObject({
      limit: pageSize(MOST_FILES, USUAL_FILES),
      after: mark.meta({ description: '`next` of the page before: how many to pass over.' }),
    }),
    answer: z.strictObject({
      files: z.array(z.strictObject({ name: z.string(), size: z.int(), sha256: z.string() })),
      total: z.int(),
      next: z.int().nullable(),
    }),
  },
  answer: async ({ params, query: { limit, after = 0 } }, { exports }) => {
    const { files: all } = await exports.finished(params.export);
    const files = all.slice(after, after + limit);
    const end = after + files.length;
    return {
      deeds: [report(`files of the export ${params.export}`, files.length)],
      body: { files, total: all.length, next: end < all.length ? end : null },
    };
  },
});

export const exportFileRoute = route({
  method: 'GET',
  path: '/exports/:export/file',
  permission: 'export-file',
  summary: 'One file of a finished export, to be saved',
  forms: {
    params: inPath,
    query: z.strictObject({
      name: z.string().min(1).max(400).meta({ description: 'As the list of files has it, folder and all.' }),
    }),
  },
  answer: async ({ params, query }, { exports }) => {
    const found = await exports.finished(params.export);
    const file = await found.file(query.name);
    return {
      deeds: [report(`${file.name} of the export ${params.export}`, found.summary.counts['lines'] ?? 0)],
      headers: {
        ...asSaved(file.name.split('/').at(-1) ?? file.name),
        'content-length': String(file.size),
        'holdfast-sha256': file.sha256,
      },
      bytes: found.bytes(file),
    };
  },
});

export const exportZipRoute = route({
  method: 'GET',
  path: '/exports/:export/zip',
  permission: 'export-file',
  summary: 'All files of a finished export as one ZIP: the same export gives the same bytes',
  forms: { params: inPath },
  answer: async ({ params }, { exports }) => {
    const found = await exports.finished(params.export);
    const bytes = found.zip();
    return {
      deeds: [report(`all of the export ${params.export}`, found.summary.counts['lines'] ?? 0)],
      headers: asSaved(`export-${params.export.slice(0, 8)}.zip`),
      bytes,
    };
  },
});

export const deleteExportRoute = route({
  method: 'DELETE',
  path: '/exports/:export',
  permission: 'export-delete',
  summary: 'Delete an export; one that waits or is being written is stopped. The archive loses nothing by it',
  forms: { params: inPath, answer: ordered },
  answer: async ({ params }, { exports }) => {
    const { facts } = exports.job(params.export);
    return {
      deeds: [report(`deletion of the export ${facts.id}`, 0)],
      done: async () => {
        await exports.remove(facts.id);
        return { export: facts.id };
      },
    };
  },
});

function requestOf({
  selection,
  formats,
  zone: named,
  context,
  bates,
  proofs,
}: z.output<typeof orderForm>): ExportRequest {
  const time = new LocalTime(named);
  const numbered = parseBates(bates);
  if (numbered === null) throw new RangeError('a Bates number, as the form has it');
  return {
    selection: selectionOf(selection, time),
    rule: context,
    formats: FORMATS.filter((format) => formats.includes(format)),
    zone: time.zone,
    bates: numbered,
    proofs,
  };
}

function selectionOf(asked: z.output<typeof orderForm>['selection'], time: LocalTime): Selection {
  if (asked.by === 'query') return { by: 'query', query: parseQuery(asked.query, time) };
  return asked.by === 'records' ? { by: 'records', ids: [...new Set(asked.ids)] } : asked;
}

function toldJob({ facts, state, estimate, progress, summary, failed }: ExportJob): z.input<typeof jobForm> {
  const { id, atMs, user, selection, formats, zone: named } = facts;
  return {
    export: id,
    user,
    at: new Date(atMs).toISOString(),
    selection,
    formats,
    zone: named,
    state,
    estimate,
    progress,
    summary: summary === null ? null : { ...summary, counts: { ...summary.counts }, unmatched: [...summary.unmatched] },
    failed,
  };
}

function report(what: string, items: number): Deed {
  return { act: 'report', what: what.toWellFormed(), matter: null, items };
}

function asSaved(name: string): Record<string, string> {
  return { 'content-type': 'application/octet-stream', 'content-disposition': create(name, { type: 'attachment' }) };
}
