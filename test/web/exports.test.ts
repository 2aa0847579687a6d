// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/base/config.ts';
import { ExportDesk, type ExportDeskParts } from '../../src/export/desk/export-desk.ts';
import { FORMATS } from '../../src/export/formats.ts';
import { withExport } from '../../src/main/export.ts';
import { LocalTime } from '../../src/search/local-time.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { filesIn } from '../export/kit.ts';
import { eventually } from '../support/eventually.ts';
import {
  BERTHS,
  bytesOf,
  heldBack,
  jobOf,
  left,
  nameIn,
  order,
  refusal,
  remove,
  settled,
  type Files,
  type Job,
} from './exports-kit.ts';
import { makeOffice, WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-web-exports-'));
let archive: string;
beforeAll(async () => {
  archive = await makeOffice(join(root, 'made'));
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('an export that is ordered', () => {
  it('is byte for byte what the command writes, file by file and as a ZIP', async () => {
    await using office = await WebOffice.open(root, archive);
    const zone = 'America/New_York';
    const query = '"berth 7" OR "with files" after:2000-01-01';
    const id = await order(office, { selection: { by: 'query', query }, zone, bates: 'DOT0000100' });
    const job = await settled(office, id);
    expect(job).toMatchObject({ state: 'finished', failed: null, user: 'ines', zone, formats: [...FORMATS] });

    const time = new LocalTime(zone);
    const out = join(root, 'by-command');
    const config = {
      reader: { index: office.index },
      archive: { url: pathToFileURL(archive).href },
      trust: office.trust,
    } as Config;
    const options = {
      selection: { by: 'query' as const, query: parseQuery(query, time) },
      rule: { wholeUpTo: 20, around: 10 },
      formats: FORMATS,
      zone: time,
      bates: { prefix: 'DOT', first: 100, digits: 7 },
      proofs: 'records' as const,
    };
    const audit = { record: async () => undefined };
    const result = await withExport(
      config,
      audit,
      options,
      () => undefined,
      (one) => one.write(out, () => undefined),
    );
    const expected = filesIn(out);
    expect(job.summary).toMatchObject({
      files: result.written,
      bytes: result.bytes,
      manifestSha256: result.manifestSha256,
      counts: { lines: result.lines, hits: result.hits },
    });
    expect(job.estimate?.lines).toBe(result.lines);

    const { files } = await office.get<Files>(`/exports/${id}/files?limit=1000`);
    expect(files.map(({ name }) => name).toSorted()).toEqual([...expected.keys()].toSorted());
    for (const { name, size, sha256 } of files) {
      const response = await office.ask(`/api/v1/exports/${id}/file?name=${nameIn(name)}`);
      const bytes = await bytesOf(response);
      expect([name, bytes.equals(expected.get(name) as Buffer), bytes.length]).toEqual([name, true, size]);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
      expect(response.headers.get('content-disposition')).toMatch(/^attachment; /);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
    }
    const zips = [];
    for (let n = 0; n < 2; n += 1) zips.push(await bytesOf(await office.ask(`/api/v1/exports/${id}/zip`)));
    const [zip = Buffer.alloc(0), again] = zips;
    expect(again?.equals(zip)).toBe(true);
    const unzipped = Object.entries(unzipSync(zip)).map(([name, bytes]) => [name, Buffer.from(bytes)] as const);
    expect(new Map(unzipped)).toEqual(expected);
  });

  it('is recorded before it is written, by whoever asked, and so is everything that is taken', async () => {
    await using office = await WebOffice.open(root, archive);
    const { held, letGo } = heldBack(office);
    const id = await order(office);
    await eventually(held).toBe(1);
    // It waits for the record: of what it selects nothing is on the disk, and nothing is told.
    const written = [...filesIn(office.exports).keys()].filter((name) => name.includes('/export'));
    expect(written.map((name) => name.split('/').at(-1)).filter((name) => !/^(journal|lock)/.test(name ?? ''))).toEqual(
      [],
    );
    expect(await jobOf(office, id)).toMatchObject({ state: 'running', estimate: null, progress: null, summary: null });
    expect((await office.ask('/api/v1/status')).status).toBe(200);
    letGo();
    expect((await settled(office, id)).state).toBe('finished');
    await bytesOf(await office.ask(`/api/v1/exports/${id}/file?name=messages.jsonl`));
    await bytesOf(await office.ask(`/api/v1/exports/${id}/zip`));
    await remove(office, id);
    expect(new Set(office.recorded.map(({ by }) => `${by?.user} ${by?.via}`))).toEqual(new Set(['ines web']));
    expect(office.recorded.flatMap(({ deeds }) => deeds)).toMatchObject([
      { act: 'login' },
      { act: 'report', what: 'export asked for: messages that match: "berth 7" OR "with files"' },
      { act: 'export', format: 'jsonl' },
      { act: 'report', what: `messages.jsonl of the export ${id}` },
      { act: 'report', what: `all of the export ${id}` },
      { act: 'report', what: `deletion of the export ${id}` },
    ]);
  });

  it('lies where only its owner looks', async () => {
    await using office = await WebOffice.open(root, archive);
    await settled(office, await order(office));
    const all = readdirSync(office.exports, { recursive: true }).map((name) => join(office.exports, String(name)));
    for (const path of [office.exports, ...all]) {
      const stat = statSync(path);
      if (stat.isDirectory()) expect([path, stat.mode & 0o777]).toEqual([path, 0o700]);
    }
  });

  it.each([
    ['nothing matches', { selection: { by: 'query', query: 'nobody-ever-wrote-this' } }, 'export/nothing'],
    ['no conversation is called so', { selection: { by: 'conversation', name: 'Elsewhere' } }, 'search/not-found'],
  ])('fails where %s, and leaves nothing', async (_what, body, code) => {
    await using office = await WebOffice.open(root, archive);
    expect(await settled(office, await order(office, body))).toMatchObject({ state: 'failed', failed: code });
    await eventually(() => left(office.exports)).toEqual([]);
  });

  it.each([
    ['no selection', { formats: ['pdf'] }, 'web/request'],
    ['a format that is none', { ...BERTHS, formats: ['docx'] }, 'web/request'],
    ['a Bates number that is none', { ...BERTHS, bates: '../1' }, 'web/request'],
    ['a place to write', { ...BERTHS, out: '/tmp/mine' }, 'web/request'],
    ['a query that is none', { selection: { by: 'query', query: '(' } }, 'search/query'],
    ['a zone that is none', { ...BERTHS, zone: 'Mars/Base' }, 'search/query'],
  ])('is refused with %s', async (_what, body, code) => {
    await using office = await WebOffice.open(root, archive);
    expect(await refusal(await office.post('/exports', body))).toEqual([400, code]);
    expect(left(office.exports)).toEqual([]);
  });
});

describe('a queue of exports', () => {
  it('writes one at a time, lets few wait, and stops what is deleted, waiting or under way', async () => {
    await using office = await WebOffice.open(root, archive);
    const { held, letGo } = heldBack(office);
    const ids = [];
    for (let n = 0; n < 9; n += 1) {
      ids.push(await order(office));
      if (n === 0) await eventually(held).toBe(1);
    }
    const [running = '', waiting = '', next = ''] = ids;
    expect(await refusal(await office.post('/exports', BERTHS))).toEqual([503, 'export/busy']);
    const { exports: listed } = await office.get<{ exports: Job[] } & Record<string, unknown>>('/exports');
    expect(listed.map(({ export: id }) => id)).toEqual(ids.toReversed());
    expect(listed.map(({ state }) => state)).toEqual([...Array<string>(8).fill('waiting'), 'running']);
    expect(await refusal(await office.ask(`/api/v1/exports/${running}/zip`))).toEqual([409, 'export/not-finished']);

    for (const id of [waiting, running]) {
      expect((await remove(office, id)).status).toBe(200);
      expect(await refusal(await office.ask(`/api/v1/exports/${id}`))).toEqual([404, 'export/not-found']);
      expect(left(office.exports)).not.toContain(id);
    }
    letGo();
    expect((await settled(office, next)).state).toBe('finished');
    for (const id of ids.slice(3)) await remove(office, id);
    expect(left(office.exports)).toEqual([next]);
    expect(office.troubles.filter((code) => code !== 'export/busy')).toEqual([]);
  });

  it('ends with the process, and leaves nothing half', async () => {
    const office = await WebOffice.open(root, archive);
    const { held, letGo } = heldBack(office);
    for (let n = 0; n < 3; n += 1) await order(office);
    await eventually(held).toBe(1);
    await office[Symbol.asyncDispose]();
    letGo();
    expect(left(office.exports)).toEqual([]);
  });
});

describe('after a crash', () => {
  it('whole exports are there as they were, and half ones are gone', async () => {
    const first = await WebOffice.open(root, archive);
    const whole = await order(first);
    const before = await settled(first, whole);
    const { held, letGo } = heldBack(first);
    const half = await order(first);
    await eventually(held).toBe(1);
    // What a process that is killed now leaves: and with what was written next, short of the rename.
    const crashed = join(root, 'crashed');
    cpSync(first.exports, crashed, { recursive: true });
    chmodSync(crashed, 0o700);
    mkdirSync(join(crashed, half, 'export.partial', 'export'), { recursive: true });
    writeFileSync(join(crashed, half, 'export.partial', 'export', 'messages.jsonl'), '{"half":true}\n');
    mkdirSync(join(crashed, 'e'.repeat(32), 'deleted'), { recursive: true });
    letGo();
    await first[Symbol.asyncDispose]();

    await using office = await WebOffice.open(root, archive, {}, { exports: crashed });
    const { exports } = await office.get<{ exports: Job[] } & Record<string, unknown>>('/exports');
    expect(exports.map(({ export: id }) => id)).toEqual([whole]);
    expect(await jobOf(office, whole)).toEqual({ ...before, estimate: null });
    expect(await refusal(await office.ask(`/api/v1/exports/${half}`))).toEqual([404, 'export/not-found']);
    expect(left(crashed)).toEqual([whole]);
    const bytes = await bytesOf(await office.ask(`/api/v1/exports/${whole}/file?name=messages.jsonl`));
    expect(bytes.equals(readFileSync(join(first.exports, whole, 'export', 'messages.jsonl')))).toBe(true);
    expect((await remove(office, whole)).status).toBe(200);
    expect(left(crashed)).toEqual([]);
  });

  const parts = (folder: string): ExportDeskParts => ({
    folder,
    run: async () => undefined,
    audit: { record: async () => undefined },
    clock: Date.now,
    onTrouble: () => undefined,
  });

  it('no second process takes the folder, and none that others may read', async () => {
    const folder = join(root, 'one-desk');
    await using _desk = await ExportDesk.open(parts(folder));
    await expect(ExportDesk.open(parts(folder))).rejects.toMatchObject({ code: 'export/in-use' });
    const exposed = join(root, 'exposed');
    mkdirSync(exposed, { mode: 0o755 });
    chmodSync(exposed, 0o755);
    await expect(ExportDesk.open(parts(exposed))).rejects.toMatchObject({ code: 'export/folder' });
  });
});
