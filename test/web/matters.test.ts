// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, HARBOUR, message } from '../search/kit.ts';
import { until } from '../support/e2e-process.ts';
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

/** What was decided travels to the log by the ordinary way, and from there into the index. */
async function archived(): Promise<void> {
  await until('all is archived', async () => {
    await archive.maker.archiver.flush();
    return (await office.spool.waiting()) === 0;
  });
  await office.grow();
}

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
    await decided(`/matters/${matter}/tags`, { tag: 'responsive', target });
    await decided(`/matters/${matter}/notes`, { text: 'see the report', target });
    await archived();
    const { matters } = await office.get<Matters>('/matters');
    expect(matters).toMatchObject([{ matter, name: 'Berth 14', tags: 1, notes: 1 }]);
    const whole = await office.get(`/matters/${matter}`);
    expect(whole).toMatchObject({
      tags: [{ tag: 'responsive', target, user: 'ines' }],
      notes: [{ text: 'see the report', target, user: 'ines' }],
    });
    expect((await office.search({ query: 'tag:responsive' })).hits.map((hit) => hit.leaf)).toEqual([leaf]);
    await decided(`/matters/${matter}/tags`, { tag: 'responsive', on: false, target });
    await archived();
    expect((await office.search({ query: 'tag:responsive' })).total).toBe(0);
  }, 180_000);

  it('is decided about by no other form, and about nothing that is not there', async () => {
    const [{ matter } = { matter: '' }] = (await office.get<Matters>('/matters')).matters;
    const target = { what: 'message', leaf: 0 };
    for (const [path, body, status] of [
      ['/matters', { name: '' }, 400],
      ['/matters', { name: 'x', matter: 'f'.repeat(32) }, 400],
      [`/matters/${'f'.repeat(32)}/tags`, { tag: 'responsive', target }, 404],
      [`/matters/${matter}/tags`, { tag: 'NOT A TAG', target }, 400],
      [`/matters/${matter}/tags`, { tag: 'responsive', target: { what: 'message', leaf: 999_999 } }, 400],
      [`/matters/${matter}/tags`, { tag: 'responsive', target: { what: 'everything' } }, 400],
      [`/matters/${matter}/notes`, { text: 'x'.repeat(9000) }, 400],
    ] as const) {
      expect([path, body, (await office.post(path, body)).status]).toEqual([path, body, status]);
    }
  });
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
