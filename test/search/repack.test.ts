// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ORIGIN, SealedArchive, TRUST } from '../../bench/search-corpus.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { Indexer } from '../../src/search/indexer.ts';
import { parseQuery } from '../../src/search/query-parse.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { READER, ROOT } from '../vectors/keys.ts';

const RECORDS = 300;
const KEPT = 20;
let root: string;
let archive: SealedArchive;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-repack-'));
  archive = new SealedArchive(join(root, 'archive'));
  await archive.build(RECORDS);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function indexerOn(db: SqliteIndex): Promise<Indexer> {
  const manifest = openManifest(SealedArchive.manifest, ROOT.key, ORIGIN);
  const { privateKey: key, recipient } = READER;
  const reader = await openDirReader(join(root, 'archive'));
  return Indexer.open({ reader, trust: TRUST, manifest, key, kid: recipient.kid, db });
}

/** Every eleventh record is kept: single leaves between others that went. */
function repackSome(): void {
  let kept = 0;
  archive.repack((leaf) => leaf % 11 === 0 && (kept += 1) <= KEPT);
}

describe('a pack whose bodies went to another one', () => {
  it('is followed: what was kept is read from there, and the rest is said to be unread', async () => {
    repackSome();
    await using db = SqliteIndex.openForWriting(join(root, 'index'));
    await using indexer = await indexerOn(db);
    const state = await indexer.catchUp();
    expect(state).toMatchObject({ unreadable: RECORDS - KEPT, awaited: RECORDS - KEPT });
    expect(await db.count(parseQuery('kind:unreadable'))).toBe(RECORDS - KEPT);
  });

  it('changes nothing for an index that had read it before', async () => {
    await using db = SqliteIndex.openForWriting(join(root, 'index'));
    await using indexer = await indexerOn(db);
    const before = await indexer.catchUp();
    repackSome();
    expect(await indexer.catchUp()).toMatchObject({ unreadable: 0, awaited: 0, lines: before?.lines });
  });
});
