// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QueryThreads } from '../../src/search/query-threads.ts';
import { Failure } from '../../src/base/failure.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { ANA, applyAll, BEN, HARBOUR, LogWriter, message, MONDAY_MS } from '../search/kit.ts';
import { eventually } from '../support/eventually.ts';
import { HARBOUR_LINES, HOSTILE, makeOffice, TOKEN, WebOffice } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-answers-'));
let archive: string;
let office: WebOffice;
beforeAll(async () => {
  archive = await makeOffice(join(root, 'made'));
  office = await WebOffice.open(root, archive);
}, 120_000);
afterAll(async () => {
  await office?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

interface Line {
  readonly leaf: number;
  readonly mark: number;
  readonly local: string;
  readonly told: { readonly who: string; readonly said: readonly string[]; readonly below: readonly string[] };
  readonly versions: readonly { readonly content: { readonly text: string | null } }[];
}
interface Lines extends Record<string, unknown> {
  readonly lines: readonly Line[];
  readonly before: number | null;
  readonly after: number | null;
}
interface Conversations extends Record<string, unknown> {
  readonly total: number;
  readonly conversations: readonly { readonly id: number; readonly title: string; readonly lines: number }[];
  readonly next: number | null;
}

async function harbour(): Promise<number> {
  const { conversations } = await office.get<Conversations>('/conversations');
  return conversations.find(({ title }) => title === HARBOUR.name)?.id ?? -1;
}

describe('what is asked is answered', () => {
  it('with how far the index is complete, every time', async () => {
    const status = await office.get<{ index: { checkpoint: number; origin: string }; user: string }>('/status');
    expect(status).toMatchObject({ user: 'ines', index: { unreadable: 0, awaited: 0 } });
    const [{ leaf } = { leaf: -1 }] = (await office.search({ query: 'with files' })).hits;
    const paths = ['/gaps', '/conversations', `/conversations/${await harbour()}`, '/people', `/lines/${leaf}`];
    for (const path of [...paths, `/conversations/${await harbour()}/lines`]) {
      expect(await office.get(path)).toMatchObject({ index: status.index });
    }
    expect((await office.search({ query: '' })).index).toEqual(status.index);
  });

  it('to a search: exact counts, snippets with what was asked for, pages behind one another', async () => {
    const seen = new Set<number>();
    let after: string | null = null;
    for (let page = 0; page < 20; page += 1) {
      const found = await office.search({ query: 'berth harbour', limit: 25, after });
      expect(found.total).toBe(HARBOUR_LINES);
      for (const { leaf, snippet } of found.hits) {
        // Of a message that was edited, the words it has now.
        const marked = snippet.filter(({ hit }) => hit).map(({ text }) => text);
        expect(['berth,harbour', 'berth']).toContain(marked.join());
        seen.add(leaf);
      }
      after = found.next;
      if (after === null) break;
    }
    expect(seen.size).toBe(HARBOUR_LINES);
  });

  it('on the days of whoever asks', async () => {
    const utc = await office.search({ query: 'on:2026-11-22 berth' });
    const far = await office.search({ query: 'on:2026-11-22 berth', zone: 'Pacific/Pago_Pago' });
    expect([utc.total, far.total]).toEqual([HARBOUR_LINES, 0]);
    const { lines } = await office.get<Lines>(`/conversations/${await harbour()}/lines?zone=America/New_York&limit=1`);
    expect(lines[0]?.local).toMatch(/ -05:00$/);
  });

  it('line by line, in both directions and around one', async () => {
    const at = `/conversations/${await harbour()}/lines`;
    const all: number[] = [];
    let path: string | null = `${at}?limit=40`;
    while (path !== null) {
      const page: Lines = await office.get<Lines>(path);
      all.push(...page.lines.map(({ leaf }) => leaf));
      path = page.after === null ? null : `${at}?limit=40&after=${page.after}`;
    }
    expect(new Set(all).size).toBe(HARBOUR_LINES);
    const back: number[] = [];
    path = `${at}?limit=40&before=${'9'.repeat(15)}`;
    while (path !== null) {
      const page: Lines = await office.get<Lines>(path);
      back.unshift(...page.lines.map(({ leaf }) => leaf));
      path = page.before === null ? null : `${at}?limit=40&before=${page.before}`;
    }
    expect(back).toEqual(all);
    const middle = all[60] ?? -1;
    const around = await office.get<Lines>(`${at}?limit=21&around=${middle}`);
    expect(around.lines.map(({ leaf }) => leaf)).toEqual(all.slice(50, 71));
    const onward = await office.get<Lines>(`${at}?limit=5&after=${around.after}`);
    expect(onward.lines.map(({ leaf }) => leaf)).toEqual(all.slice(71, 76));
    const backward = await office.get<Lines>(`${at}?limit=5&before=${around.before}`);
    expect(backward.lines.map(({ leaf }) => leaf)).toEqual(all.slice(45, 50));
  });

  it('with all versions of a message, by any of its records', async () => {
    const [{ leaf } = { leaf: -1 }] = (await office.search({ query: 'edited:yes' })).hits;
    const { line } = await office.get<{ line: Line & { leaves: number[] } }>(`/lines/${leaf}`);
    expect(line.versions.map(({ content }) => content.text)).toEqual(['berth 0 of the harbour', 'berth 0, edited']);
    expect(line.leaves).toHaveLength(2);
    const { line: same } = await office.get<{ line: Line }>(`/lines/${line.leaves[1]}`);
    expect(same).toEqual(line);
  });

  it('with everybody there is, once', async () => {
    interface People extends Record<string, unknown> {
      readonly people: readonly { readonly number: string | null }[];
      readonly next: number | null;
    }
    const first = await office.get<People>('/people?limit=2');
    const rest = await office.get<People>(`/people?after=${first.next}`);
    const numbers = [...first.people, ...rest.people].map(({ number }) => number);
    expect(numbers).toEqual(expect.arrayContaining([ANA.number, BEN.number]));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('in text as it was written, and in words that do nothing', async () => {
    const [{ leaf } = { leaf: -1 }] = (await office.search({ query: 'onerror' })).hits;
    const { line } = await office.get<{ line: Line }>(`/lines/${leaf}`);
    expect(line.versions[0]?.content.text).toBe(HOSTILE);
    // eslint-disable-next-line no-control-regex
    expect(line.told.said.join()).not.toMatch(/[\u0000\u202E]/);
    const response = await office.ask(`/api/v1/lines/${leaf}`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  });
});

describe('pages', () => {
  it('stay in step while the index grows', async () => {
    const directory = join(root, 'growing');
    const log = new LogWriter();
    const say = (n: number, atMs: number): void =>
      void log.capture(ANA, message(`word ${n}`), { by: BEN, chat: HARBOUR, atMs });
    for (let n = 0; n < 100; n += 1) say(n, MONDAY_MS + n * 60_000);
    log.cut();
    for (let n = 100; n < 200; n += 1) say(n, MONDAY_MS + n * 60_000);
    log.cut();
    const [first, second] = log.segments as [(typeof log.segments)[0], (typeof log.segments)[0]];
    await using growing = await WebOffice.open(root, archive);
    rmSync(growing.index, { recursive: true });
    {
      await using db = SqliteIndex.openForWriting(directory);
      await applyAll(db, [first]);
    }
    cpSync(directory, growing.index, { recursive: true });
    chmodSync(growing.index, 0o700);
    const one = await growing.search({ query: 'word', limit: 40 });
    {
      await using db = SqliteIndex.openForWriting(growing.index);
      await applyAll(db, [second]);
    }
    const two = await growing.search({ query: 'word', limit: 40, after: one.next });
    const three = await growing.search({ query: 'word', limit: 40, after: two.next });
    const seen = [one, two, three].flatMap(({ hits }) => hits.map(({ leaf }) => leaf));
    expect(new Set(seen).size).toBe(100);
    expect([one.total, two.total, three.next]).toEqual([100, 200, null]);
    const by = await growing.search({ query: 'word', limit: 40, order: 'relevance' });
    expect(by.next).not.toBeNull();
  });
});

describe('what is about to be shown', () => {
  it('is recorded before it is', async () => {
    await using slow = await WebOffice.open(root, archive);
    let write: (() => void) | null = null;
    slow.beforeRecord = () => new Promise<void>((resolve) => (write = resolve));
    let isAnswered = false;
    const asking = slow.search({ query: 'berth 7' }).then((answer) => {
      isAnswered = true;
      return answer;
    });
    await eventually(() => write !== null).toBe(true);
    // An answer that did not wait would be here by then.
    await slow.get('/status');
    expect([isAnswered, slow.recorded]).toEqual([false, []]);
    (write as unknown as () => void)();
    const { hits, total } = await asking;
    const shown = hits.map(({ leaf }) => leaf);
    const deed = { act: 'search', query: 'berth 7', order: 'newest', hits: total, shown };
    expect(slow.recorded).toMatchObject([{ deeds: [{ act: 'login' }, deed], by: { user: 'ines', via: 'web' } }]);
  });

  it('is not shown if it cannot be recorded', async () => {
    await using broken = await WebOffice.open(root, archive);
    broken.beforeRecord = async () => {
      throw new Failure('access/unrecorded', { expected: 'a record', got: 'ENOSPC', where: '/secret/place' });
    };
    const response = await broken.post('/search', { query: 'berth' });
    const body = await response.text();
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(body).not.toMatch(/berth|harbour/i);
    expect(broken.troubles).toEqual(['access/unrecorded']);
  });

  it('is named line by line, and the list of conversations too', async () => {
    await using watched = await WebOffice.open(root, archive);
    const { conversations } = await watched.get<Conversations>('/conversations');
    const at = `/conversations/${conversations[0]?.id}/lines?limit=3`;
    const { lines } = await watched.get<Lines>(at);
    const deeds = watched.recorded.flatMap((one) => one.deeds);
    expect(deeds).toEqual([
      { act: 'login' },
      { act: 'view', leaf: null, lines: conversations.length },
      { act: 'view', leaf: lines[0]?.leaf, lines: lines.length },
    ]);
  });
});

describe('what nobody should send', () => {
  it.each([
    ['no JSON', '{"query":'],
    ['JSON of another form', '[]'],
    ['a member too many', { query: 'x', sql: 'DROP TABLE line' }],
    ['a prototype', '{"query":"x","__proto__":{"limit":1}}'],
    ['a page too large', { query: 'x', limit: 100_000 }],
    ['a page of nothing', { query: 'x', limit: 0 }],
    ['an order that is none', { query: 'x', order: 'id; DROP TABLE line' }],
    ['a query too long', { query: 'x'.repeat(9000) }],
    ['a mark that is none', { query: 'x', after: 't1 OR 1=1' }],
    ['a zone that is none', { query: 'x', zone: '../../etc/passwd' }],
    ['a query that is none', { query: '((((' }],
    ['more than fits', { query: 'x'.repeat(100_000) }],
  ])('is refused with a word about the form, and nothing of what was sent: %s', async (_what, body) => {
    const response = await office.post('/search', body);
    const told = (await response.json()) as { error: { code: string; got?: string } };
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(told.error.code).toMatch(/^(?:web\/request|search\/(?:query|page))$/);
    expect(JSON.stringify(told)).not.toMatch(/DROP|passwd|OR 1=1|xxxx/);
  });

  it.each([
    '/lines/99999999999999999999',
    '/lines/-1',
    '/lines/1e3',
    '/conversations/1%20OR%201=1',
    '/conversations/1/lines?after=1&before=2',
    '/conversations/1/lines?limit=9999',
    '/conversations/1/lines?limit=1&limit=2',
    '/people?after=x',
    '/files/..%2f..%2fetc%2fpasswd',
    `/conversations/1/lines?zone=${'x'.repeat(500)}`,
  ])('is refused: %s', async (path) => {
    const response = await office.ask(`/api/v1${path}`);
    expect([400, 404]).toContain(response.status);
    expect(await response.text()).toMatch(/^\{"error":\{"code":"(?:web|search)\//);
  });

  it('is refused of another type, and a conversation or a record that is not there', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await office.ask('/api/v1/search', { method: 'POST', body: 'query=berth', headers: form });
    expect(response.status).toBe(400);
    for (const path of ['/conversations/4711', '/conversations/4711/lines', '/lines/4711000', '/files/1']) {
      expect([path, (await office.ask(`/api/v1${path}`)).status]).toEqual([path, 404]);
    }
    const id = await harbour();
    const [elsewhere] = (await office.search({ query: 'with files' })).hits;
    expect((await office.ask(`/api/v1/conversations/${id}/lines?around=${elsewhere?.leaf}`)).status).toBe(404);
  });
});

describe('many at once', () => {
  it('a hundred are answered, each with its own', async () => {
    const asked = Array.from({ length: 100 }, (_, n) => n);
    const answers = await Promise.all(asked.map((n) => office.search({ query: `"berth ${n} of"`, limit: 5 })));
    expect(answers.map(({ total }) => total)).toEqual(asked.map(() => 1));
    const first = answers.map(({ hits }) => hits[0]?.snippet.map(({ text }) => text).join(''));
    expect(first.slice(1)).toEqual(asked.slice(1).map((n) => `berth ${n} of the harbour`));
  });

  it('a client that has gone is no longer worked for', async () => {
    const [asked, aborted]: [string[], string[]] = [[], []];
    const index = {
      ask: (question: string, _args: unknown, signal: AbortSignal) =>
        new Promise((_resolve, reject) => {
          asked.push(question);
          signal.addEventListener('abort', () => {
            aborted.push(question);
            reject(new Failure('search/given-up', { expected: 'somebody', got: 'nobody' }));
          });
        }),
    } as unknown as QueryThreads;
    await using waiting = await WebOffice.open(root, archive, { index });
    const leaving = new AbortController();
    const asking = fetch(`http://127.0.0.1:${waiting.port}/api/v1/search`, {
      method: 'POST',
      body: '{"query":"berth","count":false}',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      signal: leaving.signal,
    });
    asking.catch(() => undefined);
    await eventually(() => asked.length).toBe(1);
    leaving.abort();
    await expect(asking).rejects.toThrow();
    await eventually(() => aborted).toEqual(['search']);
    expect(waiting.recorded).toEqual([]);
  });
});
