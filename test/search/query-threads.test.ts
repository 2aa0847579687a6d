// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseQuery } from '../../src/search/query-parse.ts';
import { QueryThreads } from '../../src/search/query-threads.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { office } from './contract.ts';
import { ANA, applyAll, ask, BEN, HARBOUR, LogWriter, message, MONDAY_MS } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-query-threads-'));
const directory = join(root, 'index');
const MESSAGES = 20_000;
/** Lines that `again` finds. */
let lines = 0;

beforeAll(async () => {
  await using db = SqliteIndex.openForWriting(directory);
  const log = office();
  for (let n = 0; n < MESSAGES; n += 1) {
    log.capture(ANA, message(`again ${n % 7} and ${n % 11}`), { by: BEN, chat: HARBOUR, atMs: MONDAY_MS + n * 1000 });
  }
  await applyAll(db, log.cut().segments);
  lines = await db.count(parseQuery('again'));
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const threads = (most = 100): QueryThreads => new QueryThreads({ directory, threads: 2, mostWaiting: most });
const NEWEST = { order: 'newest', limit: 50, after: null } as const;

describe('an index that is asked in threads', () => {
  it('answers as one that is asked here', async () => {
    await using asked = threads();
    await using db = SqliteIndex.openForReading(directory);
    for (const text of ['container', '"again 3"', 'from:ben', 'again -3', '']) {
      const query = parseQuery(text);
      for (const order of ['newest', 'oldest', 'relevance'] as const) {
        expect(await asked.ask('search', [query, { ...NEWEST, order }], null)).toEqual(await ask(db, text, { order }));
      }
      expect(await asked.ask('count', [query], null)).toBe(await db.count(query));
    }
    expect(await asked.ask('conversations', [], null)).toEqual(await db.conversations());
    const page = { after: null, limit: 20 };
    const [first] = await db.conversations();
    expect(await asked.ask('lines', [first?.id ?? 0, page], null)).toEqual(await db.lines(first?.id ?? 0, page));
  });

  it('says why it cannot, as the index does', async () => {
    await using asked = threads();
    await expect(asked.ask('line', [9_999_999], null)).rejects.toMatchObject({ code: 'search/not-found' });
    await using nowhere = new QueryThreads({ directory: join(root, 'nowhere'), threads: 1, mostWaiting: 1 });
    await expect(nowhere.ask('state', [], null)).rejects.toMatchObject({ code: 'search/index-missing' });
  });

  it('answers many at once, and refuses more than may wait', async () => {
    await using asked = threads(100);
    const counts = Array.from({ length: 102 }, () => asked.ask('count', [parseQuery('again')], null));
    await expect(asked.ask('count', [parseQuery('again')], null)).rejects.toMatchObject({ code: 'search/busy' });
    expect(new Set(await Promise.all(counts))).toEqual(new Set([lines]));
  });
});

describe('what nobody waits for any more', () => {
  it('is given up on the way, and the thread answers the next question', async () => {
    await using asked = new QueryThreads({ directory, threads: 1, mostWaiting: 10 });
    await asked.ask('state', [], null);
    for (const question of ['count', 'search'] as const) {
      const stop = new AbortController();
      const long = parseQuery(`again (${Array.from({ length: 100 }, (_, n) => `0 OR ${n % 7}`).join(' OR ')})`);
      const asking =
        question === 'count'
          ? asked.ask('count', [long], stop.signal)
          : asked.ask('search', [long, { ...NEWEST, order: 'relevance' }], stop.signal);
      const waiting = asked.ask('count', [parseQuery('again')], stop.signal);
      stop.abort();
      await expect(asking).rejects.toMatchObject({ code: 'search/given-up' });
      await expect(waiting).rejects.toMatchObject({ code: 'search/given-up' });
      expect(await asked.ask('count', [parseQuery('again')], null)).toBe(lines);
    }
  });

  it('stops inside of the statement', async () => {
    let left = 3;
    await using db = SqliteIndex.openForReading(directory, () => (left -= 1) > 0);
    await expect(db.count(parseQuery('again'))).rejects.toMatchObject({ code: 'search/given-up' });
    expect(left).toBe(0);
    left = 1e9;
    expect(await db.count(parseQuery('again'))).toBe(lines);
  });

  it('is refused when the threads are closed', async () => {
    const asked = threads();
    const asking = asked.ask('count', [parseQuery('again')], null);
    const refused = expect(asking).rejects.toMatchObject({ code: 'search/given-up' });
    await asked[Symbol.asyncDispose]();
    await refused;
    await expect(asked.ask('state', [], null)).rejects.toMatchObject({ code: 'search/given-up' });
  });
});

it('a record by its leaf, lines on both sides, people, and a file', async () => {
  await using db = SqliteIndex.openForWriting(join(root, 'leaves'));
  const log = new LogWriter();
  const file = { id: 'f1', contentType: 'image/png', fileName: 'a.png', size: 3, place: 'attachment' } as const;
  const leaf = log.capture(ANA, message('with a file', { attachments: [file] }), { by: BEN, chat: HARBOUR });
  const after = log.capture(ANA, message('behind'), { by: BEN, chat: HARBOUR, atMs: MONDAY_MS + 60_000 });
  const object = { key: 'a2V5', size: 3, sha256: 'ab' };
  const target = { author: BEN, sentAtMs: MONDAY_MS };
  const media = log.record(ANA, {
    type: 'media',
    objects: ['cd'.repeat(32)],
    view: {
      v: 1,
      app: 'signal',
      account: { id: null, number: ANA.number },
      direction: 'none',
      chat: null,
      sender: null,
      sentAtMs: null,
      serverAtMs: null,
      kind: 'attachment',
      target,
      attachment: file,
      object,
    },
  });
  await applyAll(db, log.cut().segments);
  const found = await db.line(media);
  expect(found).toEqual(await db.line(leaf));
  expect(found.shown.line.files).toEqual([{ attachment: file, held: { size: 3, sha256: 'ab', leaf: media } }]);
  expect(await db.file(media)).toEqual({ attachment: file, object, id: log.idOf(media) });
  await expect(db.file(leaf)).rejects.toMatchObject({ code: 'search/not-found' });
  const conversation = found.conversation?.id ?? 0;
  const behind = await db.line(after);
  const before = await db.lines(conversation, { before: behind.shown.id, limit: 10 });
  expect(before).toMatchObject({ lines: [{ id: found.shown.id }], next: null });
  expect(await db.lines(conversation, { before: behind.shown.id, limit: 1 })).toMatchObject({ next: found.shown.id });
  const { people } = await db.people({ after: null, limit: 10 });
  expect(people.map(({ name, number }) => [name, number])).toContainEqual([BEN.name, BEN.number]);
});
