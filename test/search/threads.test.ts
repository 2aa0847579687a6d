// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ORIGIN, SealedArchive, TRUST } from '../../bench/search-corpus.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { Indexer } from '../../src/search/indexer.ts';
import type { IndexState } from '../../src/search/index-db.ts';
import { OpenThreads } from '../../src/search/open-threads.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { READER, ROOT } from '../vectors/keys.ts';

const RECORDS = 5000;
const root = mkdtempSync(join(tmpdir(), 'holdfast-threads-'));
const archive = join(root, 'archive');
beforeAll(() => new SealedArchive(archive).build(RECORDS));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function indexInto(db: SqliteIndex): Promise<IndexState | null> {
  const manifest = openManifest(SealedArchive.manifest, ROOT.key, ORIGIN);
  const { privateKey: key, recipient } = READER;
  const reader = await openDirReader(archive);
  await using indexer = await Indexer.open({ reader, trust: TRUST, manifest, key, kid: recipient.kid, db });
  return await indexer.catchUp();
}

describe('segments of many records', () => {
  it('are opened in threads, every record of them, in the order of the log', async () => {
    await using db = SqliteIndex.openForWriting(join(root, 'index'));
    const state = await indexInto(db);
    expect(state?.unreadable).toBe(0);
    expect(state?.records).toBe(RECORDS + (await db.count(parseQuery('kind:capture'))));
    expect(await db.count(parseQuery('has:reaction'))).toBeGreaterThan(10);
  });

  it('name the records of which a byte was changed', async () => {
    const packs = join(archive, 'log', ORIGIN, 'pack');
    const file = join(packs, readdirSync(packs)[0] ?? '');
    const bytes = readFileSync(file);
    for (const at of [30, bytes.length - 30]) bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(file, bytes);
    await using db = SqliteIndex.openForWriting(join(root, 'damaged'));
    expect((await indexInto(db))?.unreadable).toBe(2);
    expect(await db.count(parseQuery('kind:unreadable'))).toBe(2);
  });
});

describe('a thread that ends', () => {
  it('is said, instead of waited for', async () => {
    await using threads = new OpenThreads({ key: READER.privateKey, kid: READER.recipient.kid, earlier: [] }, 1);
    // What is no task ends it.
    const header = { associated: '{}', epoch: '', i: 0, com: '', body: { h: '', n: 1 }, obj: [] };
    const lost = threads.open({ docs: [], packs: [], sealed: [{ header, pack: 7, at: 0, length: 1 }] });
    await expect(lost).rejects.toMatchObject({ code: 'search/thread-lost' });
    await expect(threads.open({ docs: [], packs: [], sealed: [] })).rejects.toMatchObject({
      code: 'search/thread-lost',
    });
  });
});
