// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, HARBOUR, message } from '../search/kit.ts';
import { WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-web-matters-'));
let archive: TalkingArchive;
let office: WebOffice;
beforeAll(async () => {
  archive = await TalkingArchive.start(join(root, 'made'));
  const { maker } = archive;
  await archive.capture(ANA, message('the seal is broken'), { by: BEN, chat: HARBOUR });
  await maker.archive();
  office = await WebOffice.open(root, archive.directory, {}, { link: maker.link, clock: () => maker.nowMs });
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  await archive?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const archived = (): Promise<void> => office.archived(archive.maker);

async function decided(path: string, body: unknown): Promise<string> {
  // Of two decisions of one moment about one thing nobody could say which is the later.
  archive.maker.nowMs += 1000;
  const response = await office.post(path, body);
  expect([response.status, await response.clone().text()]).toEqual([200, expect.any(String)]);
  return ((await response.json()) as { matter: string }).matter;
}

interface Matters extends Record<string, unknown> {
  readonly matters: readonly { readonly matter: string; readonly name: string; readonly tags: number }[];
}

describe('a matter', () => {
  it('is begun, tagged and noted by HTTP, found by its tag, and all of it is in the log', async () => {
    const [{ leaf } = { leaf: -1 }] = (await office.search({ query: 'seal' })).hits;
    const matter = await decided('/matters', { name: 'Berth 14' });
    expect(matter).toMatch(/^[0-9a-f]{32}$/);
    // Nobody can decide in a matter that the log does not hold yet.
    const early = await office.post(`/matters/${matter}/notes`, { text: 'too early' });
    expect(early.status).toBe(404);
    await archived();
    const target = { what: 'message', leaf };
    await decided(`/matters/${matter}/tags`, { tag: 'responsive', targets: [target] });
    await decided(`/matters/${matter}/notes`, { text: 'see the report', target });
    await archived();
    const { matters } = await office.get<Matters>('/matters');
    expect(matters).toMatchObject([{ matter, name: 'Berth 14', tags: 1, notes: 1 }]);
    expect(await office.get(`/matters/${matter}`)).toMatchObject({ matter: { tagged: { responsive: 1 } }, holds: [] });
    expect(await office.get(`/matters/${matter}/tags`)).toMatchObject({
      tags: [{ tag: 'responsive', target, user: 'ines' }],
      next: null,
    });
    expect(await office.get(`/matters/${matter}/notes`)).toMatchObject({
      notes: [{ text: 'see the report', target, user: 'ines' }],
    });
    expect((await office.search({ query: 'tag:responsive' })).hits.map((hit) => hit.leaf)).toEqual([leaf]);
    await decided(`/matters/${matter}/tags`, { tag: 'responsive', on: false, targets: [target] });
    await archived();
    expect((await office.search({ query: 'tag:responsive' })).total).toBe(0);
  }, 180_000);

  it('is decided about by no other form, and about nothing that is not there', async () => {
    const [{ matter } = { matter: '' }] = (await office.get<Matters>('/matters')).matters;
    const targets = [{ what: 'message', leaf: 0 }];
    for (const [path, body, status] of [
      ['/matters', { name: '' }, 400],
      ['/matters', { name: 'x', matter: 'f'.repeat(32) }, 400],
      [`/matters/${'f'.repeat(32)}/tags`, { tag: 'responsive', targets }, 404],
      [`/matters/${matter}/tags`, { tag: 'NOT A TAG', targets }, 400],
      [`/matters/${matter}/tags`, { tag: 'responsive', targets: [{ what: 'message', leaf: 999_999 }] }, 400],
      [`/matters/${matter}/tags`, { tag: 'responsive', targets: [{ what: 'everything' }] }, 400],
      [`/matters/${matter}/notes`, { text: 'x'.repeat(9000) }, 400],
      [`/matters/${matter}/searches`, { name: 'broken', query: '(seal' }, 400],
      // An index that is built anew numbers conversations otherwise.
      [`/matters/${matter}/searches`, { name: 'numbered', query: 'seal -(in:#1 OR berth)' }, 400],
      [`/matters/${matter}`, { state: 'forgotten' }, 400],
      [`/matters/${'f'.repeat(32)}/terms`, {}, 404],
      ['/directory', { csv: 'identifier,custodian\n,nobody' }, 400],
    ] as const) {
      expect([path, body, (await office.post(path, body)).status]).toEqual([path, body, status]);
    }
  });
});

describe('what belongs to a matter', () => {
  it('custodians, saved searches and their counts are there, and it is closed and called otherwise', async () => {
    const matter = await decided('/matters', { name: 'Terms' });
    const version = await office.post('/directory', { csv: `identifier,custodian\n${ANA.number},Ana R.\n` });
    expect(await version.json()).toMatchObject({ rows: 1, version: expect.stringMatching(/^[0-9a-f]{32}$/) });
    await archived();
    expect(await office.get('/directory')).toMatchObject({
      total: 1,
      rows: [{ identifier: ANA.number, custodian: 'Ana R.', from: null, to: null }],
      next: null,
    });
    await decided(`/matters/${matter}/custodians`, { custodian: 'Ana R.' });
    await decided(`/matters/${matter}/searches`, { name: '=seals', query: 'seal' });
    await decided(`/matters/${matter}/searches`, { name: 'broken', query: 'broken' });
    await archived();
    const terms = await (await office.post(`/matters/${matter}/terms`, {})).json();
    expect(terms).toEqual({
      terms: ['=seals', 'broken'].flatMap((term) =>
        [null, 'Ana R.'].map((custodian) => ({ term, custodian, hits: 1, unique: 0, families: 1 })),
      ),
    });
    const one = await office.post(`/matters/${matter}/terms`, { searches: ['broken'] });
    expect(((await one.json()) as { terms: unknown[] }).terms).toEqual((terms as { terms: unknown[] }).terms.slice(2));
    const csv = await office.post(`/matters/${matter}/terms/csv`, {});
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(await csv.text()).toContain("'=seals,");
    expect(await office.get('/status')).toMatchObject({ user: 'ines' });
    await decided(`/matters/${matter}/searches`, { name: 'broken', query: null });
    await decided(`/matters/${matter}/custodians`, { custodian: 'Ana R.', on: false });
    await decided(`/matters/${matter}`, { state: 'closed', name: 'Terms, done' });
    await archived();
    expect(await office.get(`/matters/${matter}`)).toMatchObject({
      matter: { name: 'Terms, done', state: 'closed', custodians: [], searches: [{ name: '=seals', query: 'seal' }] },
    });
  }, 180_000);

  it('what a search finds is tagged page by page, and the tags come in pages that stay in step', async () => {
    for (let n = 0; n < 5; n += 1) {
      await archive.capture(ANA, message(`crate ${n}`), {
        by: BEN,
        chat: HARBOUR,
        atMs: archive.maker.nowMs + n * 1000,
      });
    }
    await archive.maker.archive();
    const matter = await decided('/matters', { name: 'Crates' });
    await archived();
    const pages: number[] = [];
    for (let after: string | null = null; ;) {
      archive.maker.nowMs += 1000;
      const response = await office.post(`/matters/${matter}/tags/found`, {
        tag: 'issue-1',
        query: 'crate',
        limit: 2,
        after,
      });
      const { tagged, next } = (await response.json()) as { tagged: number; next: string | null };
      pages.push(tagged);
      if (next === null) break;
      after = next;
    }
    expect(pages).toEqual([2, 2, 1]);
    await archived();
    expect((await office.search({ query: 'tag:issue-1' })).total).toBe(5);
    interface Tags extends Record<string, unknown> {
      readonly tags: readonly { readonly target: { readonly leaf: number } }[];
      readonly next: string | null;
    }
    const first = await office.get<Tags>(`/matters/${matter}/tags?limit=2`);
    // One of the page that was shown goes, and one comes: nothing is shown twice, and nothing left out.
    await decided(`/matters/${matter}/tags`, { tag: 'issue-1', on: false, targets: [first.tags[0]?.target] });
    await decided(`/matters/${matter}/tags`, { tag: 'issue-2', targets: [first.tags[0]?.target] });
    await archived();
    const rest: Tags[] = [];
    for (let { next } = first; next !== null; next = rest.at(-1)?.next ?? null) {
      rest.push(await office.get<Tags>(`/matters/${matter}/tags?limit=2&after=${next}`));
    }
    const all = [...first.tags, ...rest.flatMap(({ tags }) => tags)].map(({ target }) => target.leaf);
    expect([all.length, new Set(all).size]).toEqual([5, 5]);
    expect((await office.ask(`/api/v1/matters/${matter}/tags?after=1`)).status).toBe(400);
  }, 180_000);
});

it('the record of looks is served too, and looking at it is a look', async () => {
  await archived();
  interface Acts extends Record<string, unknown> {
    readonly acts: readonly {
      readonly deed: { readonly act: string; readonly query?: string };
      readonly by: { readonly user: string; readonly via: string };
    }[];
    readonly next: string | null;
  }
  const { acts } = await office.get<Acts>('/access-log?act=search');
  expect(acts.map(({ deed }) => deed.query)).toContain('seal');
  expect(new Set(acts.map(({ by }) => `${by.user} ${by.via}`))).toEqual(new Set(['ines web']));
  expect(office.recorded.at(-1)?.deeds).toMatchObject([{ act: 'report', what: 'access-log' }]);
  const first = await office.get<Acts>('/access-log?limit=1');
  const second = await office.get<Acts>(`/access-log?limit=1&after=${first.next}`);
  expect(first.acts).not.toEqual(second.acts);
  expect((await office.ask('/api/v1/access-log?after=nonsense')).status).toBe(409);
});
