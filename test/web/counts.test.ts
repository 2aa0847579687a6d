// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TalkingArchive } from '../search/archive-kit.ts';
import { ANA, BEN, CLEO, direct, HARBOUR, message } from '../search/kit.ts';
import { WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-web-counts-'));
const CHATS = 7;
let archive: TalkingArchive;
let office: WebOffice;
beforeAll(async () => {
  archive = await TalkingArchive.start(join(root, 'made'));
  const { maker } = archive;
  for (let n = 0; n < CHATS; n += 1) {
    const chat = { type: 'group', id: `chat-${n}`, name: `Crew ${n}` } as const;
    await archive.capture(ANA, message('a seal'), { by: BEN, chat, atMs: maker.nowMs + n * 1000 });
  }
  await archive.capture(ANA, message('no such thing'), { by: CLEO, chat: direct(CLEO) });
  await maker.archive();
  office = await WebOffice.open(root, archive.directory, {}, { link: maker.link, clock: () => maker.nowMs });
  await office.post('/directory', { csv: `identifier,custodian\n${ANA.number},Ana R.\n${BEN.number},Ben Å.\n` });
  await office.archived(maker);
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  await archive?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

interface Facets {
  readonly total: number;
  readonly kinds: readonly { value: string; count: number }[];
  readonly conversations: {
    counts: readonly { value: { id: number; title: string }; count: number }[];
    others: number;
  };
  readonly authors: { counts: readonly { value: { name: string }; count: number }[]; others: number };
  readonly custodians: { counts: readonly { value: string; count: number }[]; others: number };
  readonly times: readonly { value: string; count: number }[];
}

describe('what a query finds', () => {
  it('is counted by what it is, as exactly as searches count', async () => {
    const response = await office.post('/facets', { query: 'seal', most: 3, span: 'day', zone: 'America/New_York' });
    const facets = (await response.json()) as Facets;
    expect(facets).toMatchObject({
      total: CHATS,
      kinds: [{ value: 'message', count: CHATS }],
      apps: [{ value: 'signal', count: CHATS }],
      conversations: { others: CHATS - 3 },
      authors: { counts: [{ value: { name: BEN.name }, count: CHATS }], others: 0 },
      custodians: { counts: [{ value: 'Ana R.', count: CHATS }], others: 0 },
    });
    expect(facets.conversations.counts).toHaveLength(3);
    for (const { value, count } of facets.times)
      expect((await office.search({ query: `seal on:${value}`, zone: 'America/New_York' })).total).toBe(count);
    expect(
      office.recorded.findLast(({ deeds }) => deeds.some((one) => one.act === 'search' && one.order === 'facets')),
    ).toBeDefined();
  });

  it('names the custodians with the most lines, whoever the directory has first', async () => {
    const empty = Array.from({ length: 4 }, (_, n) => `+1202555090${n},A${n} Nobody\n`).join('');
    const most = 1;
    const rows = `${empty}${CLEO.number},Cleo D.\n${ANA.number},Ana R.\n${BEN.number},Ben Å.\n`;
    // Of two directories of one moment either may be the newer one, and of one author's two messages there is one.
    await archive.maker.hour();
    await office.post('/directory', { csv: `identifier,custodian\n${rows}` });
    await archive.capture(CLEO, message('a crate'), { by: BEN, chat: HARBOUR });
    await archive.maker.archive();
    await office.archived(archive.maker);
    const facets = (await (await office.post('/facets', { query: 'seal OR crate', most })).json()) as Facets;
    expect(facets.custodians).toEqual({ counts: [{ value: 'Ana R.', count: CHATS }], others: 1 });
  });

  it('is not counted for a query or a zone that nobody understands', async () => {
    expect((await office.post('/facets', { query: '(seal' })).status).toBe(400);
    expect((await office.post('/facets', { query: 'seal', zone: 'Nowhere' })).status).toBe(400);
    expect((await office.post('/facets', { query: 'seal', most: 100_000 })).status).toBe(400);
  });
});

interface Page extends Record<string, unknown> {
  readonly conversations: readonly { readonly id: number; readonly title: string }[];
  readonly next: string | null;
  readonly total: number;
}

describe('conversations', () => {
  it('come in pages, each once, while others get new lines', async () => {
    const first = await office.get<Page>('/conversations?limit=3');
    const { maker } = archive;
    maker.nowMs += 60_000;
    // One that was shown already goes to the front; one that was not does not push another out of the next page.
    await archive.capture(ANA, message('again'), {
      by: BEN,
      chat: { type: 'group', id: `chat-${CHATS - 1}`, name: null },
    });
    await maker.archive();
    await office.grow();
    const ids = first.conversations.map(({ id }) => id);
    for (let { next } = first; next !== null;) {
      const page = await office.get<Page>(`/conversations?limit=3&after=${next}`);
      ids.push(...page.conversations.map(({ id }) => id));
      next = page.next;
    }
    expect(ids.length).toBe(new Set(ids).size);
    expect(ids.length).toBe((await office.get<Page>('/conversations')).total);
    expect((await office.ask('/api/v1/conversations?after=3')).status).toBe(400);
  });

  it('are found by what they are called, and nothing of the name is in an address', async () => {
    const found = (await (await office.post('/conversations/find', { called: 'crew 2' })).json()) as Page;
    expect(found.conversations.map(({ title }) => title)).toEqual(['Crew 2']);
    const none = (await (await office.post('/conversations/find', { called: 'crew 99' })).json()) as Page;
    expect(none).toMatchObject({ total: 0, conversations: [] });
  });
});

describe('whoever waits for more', () => {
  it('is answered as soon as the index has grown, and at once where it has already', async () => {
    const { index } = await office.get<{ index: { checkpoint: number } }>('/status');
    const waiting = office.get<{ index: { checkpoint: number } }>(`/status?behind=${index.checkpoint}&wait=30`);
    await archive.capture(ANA, message('news'), { by: BEN, chat: HARBOUR });
    await archive.maker.archive();
    await office.grow();
    expect((await waiting).index.checkpoint).toBeGreaterThan(index.checkpoint);
    const known = await office.get<{ index: { checkpoint: number } }>(`/status?behind=${index.checkpoint}&wait=30`);
    expect(known.index.checkpoint).toBeGreaterThan(index.checkpoint);
  });

  it('is answered with what there is when the time is up, and never for longer than half a minute', async () => {
    const { index } = await office.get<{ index: { checkpoint: number } }>('/status');
    const late = await office.get<{ index: { checkpoint: number } }>(`/status?behind=${index.checkpoint}&wait=1`);
    expect(late.index).toEqual(index);
    expect((await office.ask('/api/v1/status?behind=1&wait=31')).status).toBe(400);
  });
});
