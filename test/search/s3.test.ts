// SPDX-License-Identifier: AGPL-3.0-or-later
import { DeleteObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3StoreConfig } from '../../src/archive/s3-wire.ts';
import { openReader } from '../../src/main/readers.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { Indexer } from '../../src/search/indexer.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { newBucket, plainClient, PREFIX } from '../archive/store/s3-subject.ts';
import { MANIFEST, TRUST } from '../support/archive-fixture.ts';
import { READER, ROOT } from '../vectors/keys.ts';
import { LOG_PREFIX, makeTalk, type Talk } from './archive-talk.ts';
import { indexerOn } from './archive-kit.ts';
import { everything } from './contract.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-read-s3-'));
let talk: Talk;
let bucket: S3StoreConfig;
let client: S3Client;

async function put(key: string, bytes: Uint8Array): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: bucket.bucket, Key: PREFIX + key, Body: bytes }));
}

beforeAll(async () => {
  talk = await makeTalk(join(root, 'made'));
  bucket = await newBucket();
  client = plainClient(bucket);
  for (const item of readdirSync(talk.directory, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name);
    if (item.isFile() && !path.includes('/.')) await put(relative(talk.directory, path), readFileSync(path));
  }
  const { accessKeyId, secretAccessKey } = bucket.credentials;
  writeFileSync(join(root, 'credentials'), `${accessKeyId}\n${secretAccessKey}\n`, { mode: 0o600 });
});
afterAll(() => {
  client?.destroy();
  rmSync(root, { recursive: true, force: true });
});

async function indexed(place: string): Promise<unknown> {
  const { endpoint = '', region } = bucket;
  const settings = { endpoint, region, pathStyle: true, credentials: join(root, 'credentials'), maxRetainDays: 1 };
  await using opened = await openReader(`s3://${bucket.bucket}/${PREFIX}`, settings);
  await using db = SqliteIndex.openForWriting(join(root, place));
  const manifest = openManifest(MANIFEST, ROOT.key, TRUST.origin);
  const { privateKey: key, recipient } = READER;
  await using indexer = await Indexer.open({
    reader: opened.reader,
    trust: TRUST,
    manifest,
    key,
    kid: recipient.kid,
    db,
  });
  await indexer.catchUp();
  // A second look lists from where the index stands.
  await indexer.catchUp();
  return await everything(db);
}

describe('an archive in a bucket', () => {
  it('reads as the same archive in a directory', async () => {
    await using db = SqliteIndex.openForWriting(join(root, 'directory'));
    await using indexer = await indexerOn(talk.directory, db);
    await indexer.catchUp();
    expect(await indexed('bucket')).toEqual(await everything(db));
  });

  it('is read by first versions: what was put over it, and delete markers, hide nothing', async () => {
    const before = await indexed('before');
    const segments = readdirSync(join(talk.directory, LOG_PREFIX, 'segment'));
    const packs = readdirSync(join(talk.directory, LOG_PREFIX, 'pack'));
    await put(`${LOG_PREFIX}/segment/${segments.at(-1)}`, Buffer.from('another segment'));
    for (const pack of packs) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket.bucket, Key: `${PREFIX}${LOG_PREFIX}/pack/${pack}` }));
    }
    expect(await indexed('after')).toEqual(before);
  });
});
