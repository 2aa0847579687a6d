// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PERMISSIONS, ROLE_NAMES, ROLES, type Permission } from '../../src/base/permission.ts';
import type { Identity } from '../../src/web/authenticator.ts';
import { PREFIX } from '../../src/web/document.ts';
import { ROUTES } from '../../src/web/routes/all.ts';
import { attachment, deliverFile } from '../export/kit.ts';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, CLEO, direct, HARBOUR, message, refTo } from '../search/kit.ts';
import { addressOf, PNG, WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-roles-'));
const somebody = (permissions: readonly Permission[], matters: readonly string[] | null = null): Identity => ({
  user: 'somebody',
  session: 'f'.repeat(32),
  permissions: new Set(permissions),
  matters,
  proof: null,
});
let archive: TalkingArchive;
let office: WebOffice;
let identity = somebody(PERMISSIONS);
let [matter, another] = ['', ''];
let [seen, unseen, file]: number[] = [];
beforeAll(async () => {
  archive = await TalkingArchive.start(join(root, 'made'));
  const { maker } = archive;
  const atMs = maker.nowMs;
  await archive.capture(ANA, message('the seal is broken'), { by: BEN, chat: HARBOUR });
  const photo = attachment('photo', 'secret.png', 'image/png', PNG.length);
  await archive.capture(ANA, message('the secret seal', { attachments: [photo] }), { by: CLEO, chat: direct(CLEO) });
  await deliverFile(archive, ANA, refTo(CLEO, atMs), photo, PNG);
  await maker.archive();
  const authenticator = { authenticate: async () => identity };
  office = await WebOffice.open(
    root,
    archive.directory,
    { authenticator },
    { link: maker.link, clock: () => maker.nowMs },
  );
  const leafOf = async (query: string): Promise<number> => (await office.search({ query })).hits[0]?.leaf ?? -1;
  [seen, unseen] = [await leafOf('broken'), await leafOf('secret')];
  const { line } = await office.get<{ line: { files: { held: { leaf: number } }[] } }>(`/lines/${unseen}`);
  file = line.files[0]?.held.leaf;
  matter = await decided('/matters', { name: 'Counsel' });
  await archived();
  await decided(`/matters/${matter}/tags`, { tag: 'responsive', targets: [{ what: 'message', leaf: seen }] });
  another = await decided('/matters', { name: 'Another' });
  await archived();
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  await archive?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

async function decided(path: string, body: unknown): Promise<string> {
  archive.maker.nowMs += 1000;
  return ((await (await office.post(path, body)).json()) as { matter: string }).matter;
}

const archived = (): Promise<void> => office.archived(archive.maker);

const codeIn = async (response: Response): Promise<string> =>
  ((await response.json()) as { error: { code: string } }).error.code;

describe.each(ROLE_NAMES)('%s', (role) => {
  it('may ask what the role is for, and is refused all else', async () => {
    identity = somebody(ROLES[role]);
    const mine = new Set<Permission>(ROLES[role]);
    for (const one of ROUTES.filter(({ permission }) => !mine.has(permission))) {
      const response = await office.ask(addressOf(one), { method: one.method });
      expect([addressOf(one), response.status, await codeIn(response)]).toEqual([addressOf(one), 403, 'web/forbidden']);
    }
    expect((await office.ask(`${PREFIX}/status`)).status).toBe(200);
    identity = somebody(PERMISSIONS);
  });
});

it('who administers or supervises has no way to what was archived', () => {
  const shows: readonly Permission[] = [
    'search',
    'view',
    'people',
    'file',
    'matters',
    'export',
    'exports',
    'export-file',
  ];
  for (const role of ['auditor', 'administrator', 'holds-officer'] as const)
    expect(shows.filter((one) => ROLES[role].some((own) => own === one))).toEqual([]);
});

describe('somebody who is limited to a matter', () => {
  const limited = (): Identity => somebody(PERMISSIONS, [matter]);

  it('finds, counts, opens and lists what is tagged in it, and nothing else', async () => {
    identity = limited();
    const found = await office.search({ query: 'seal' });
    expect([found.total, found.hits.map(({ leaf }) => leaf)]).toEqual([1, [seen]]);
    expect(await office.search({ query: '' })).toMatchObject({ total: 1 });
    expect(await office.search({ query: 'secret OR -secret' })).toMatchObject({ total: 1 });
    expect(await office.search({ query: 'from:cleo' })).toMatchObject({ total: 0, unmatched: [] });
    expect(await office.search({ query: 'from:nobody' })).toMatchObject({ total: 0, unmatched: [] });
    const facets = (await (await office.post('/facets', { query: '' })).json()) as Record<string, unknown>;
    expect(facets).toMatchObject({
      total: 1,
      conversations: { counts: [{ value: { title: HARBOUR.name } }], others: 0 },
    });
    expect(JSON.stringify(facets)).not.toContain('Cleo');
    expect((await office.ask(`${PREFIX}/lines/${seen}`)).status).toBe(200);
    for (const path of [`/lines/${unseen}`, `/files/${file}`]) {
      const refused = await office.ask(PREFIX + path);
      const never = await office.ask(PREFIX + path.replace(/\d+$/, '999999'));
      // As if there were no such thing.
      expect([refused.status, await refused.json()]).toEqual([404, await never.json()]);
    }
    const { matters } = await office.get<{ matters: { matter: string }[] }>('/matters');
    expect(matters.map((one) => one.matter)).toEqual([matter]);
    expect(await office.get('/status')).toMatchObject({ matters: [matter] });
    identity = somebody(PERMISSIONS);
    expect((await office.ask(`${PREFIX}/files/${file}`)).status).toBe(200);
  });

  it('learns nothing of other matters by asking for them, their tags and their saved searches', async () => {
    const targets = [{ what: 'message', leaf: seen }];
    await decided(`/matters/${matter}/searches`, { name: 'own', query: 'seal OR saved:theirs' });
    await decided(`/matters/${matter}/searches`, { name: 'indirect', query: 'saved:theirs OR matter:Another' });
    await decided(`/matters/${another}/searches`, { name: 'theirs', query: 'seal' });
    await decided(`/matters/${another}/tags`, { tag: 'privileged', targets });
    await archived();
    const totals = async (queries: readonly string[]): Promise<(number | null)[]> =>
      await Promise.all(queries.map(async (query) => (await office.search({ query })).total));
    const own = ['matter:Counsel', `matter:${matter}`, 'tag:responsive', 'saved:own'];
    const others = ['matter:Another', `matter:${another}`, 'tag:privileged', 'saved:theirs', 'saved:indirect'];
    const turned = others.map((query) => `-${query}`);
    expect(await totals([...own, ...others])).toEqual([1, 1, 1, 2, 1, 1, 1, 2, 2]);
    identity = limited();
    expect(await totals([...own, ...others, ...turned])).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    const facets = await office.post('/facets', { query: 'tag:privileged OR saved:theirs' });
    expect(await facets.json()).toMatchObject({ total: 0, unmatched: [] });
    identity = somebody(PERMISSIONS);
    await decided(`/matters/${another}/tags`, { tag: 'privileged', on: false, targets });
    await archived();
  });

  it('sees more once it is tagged, and less once the tag is gone', async () => {
    const targets = [{ what: 'message', leaf: unseen }];
    await decided(`/matters/${matter}/tags`, { tag: 'responsive', targets });
    await archived();
    identity = limited();
    expect((await office.search({ query: 'seal' })).total).toBe(2);
    expect((await office.ask(`${PREFIX}/files/${file}`)).status).toBe(200);
    identity = somebody(PERMISSIONS);
    await decided(`/matters/${matter}/tags`, { tag: 'responsive', on: false, targets });
    await archived();
    identity = limited();
    expect((await office.search({ query: 'seal' })).total).toBe(1);
    identity = somebody(PERMISSIONS);
  });

  it('is refused whatever does not heed the limit, every permission or not', async () => {
    identity = limited();
    const heeding = ROUTES.filter(({ isLimited }) => isLimited === true).map(({ method, path }) => `${method} ${path}`);
    expect(heeding.toSorted()).toEqual([
      'DELETE /sessions/:session',
      'GET /files/:leaf',
      'GET /lines/:leaf',
      'GET /matters',
      'GET /matters/:matter',
      'GET /matters/:matter/notes',
      'GET /matters/:matter/tags',
      'GET /openapi.json',
      'GET /sessions',
      'GET /status',
      'POST /facets',
      'POST /search',
      'POST /sign-off',
    ]);
    for (const one of ROUTES.filter(({ isLimited }) => isLimited !== true)) {
      const response = await office.ask(addressOf(one), { method: one.method });
      expect([addressOf(one), response.status, await codeIn(response)]).toEqual([addressOf(one), 403, 'web/forbidden']);
    }
    identity = somebody(PERMISSIONS);
  });
});
