// SPDX-License-Identifier: AGPL-3.0-or-later
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { openS3Store, UNPROBED } from '../../src/archive/s3-store.ts';
import type { S3StoreConfig } from '../../src/archive/s3-wire.ts';
import { newBucket, plainClient } from '../archive/store/s3-subject.ts';
import { temporaryFolder } from '../support/archive-fixture.ts';
import { toBucket } from '../tamper/versions.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { flip, smallArchive } from '../verify/subject.ts';
import { scrubbed, type Scrubbed } from './kit.ts';

// On a real Ceph: versions, markers and locks are what it answers.

let archive: MemoryArchive;
beforeAll(async () => {
  archive = await smallArchive();
  toBucket(archive);
}, 120_000);

/** The archive in a bucket of its own, each object locked as it should be, or as `until` says. */
async function inBucket(until: (key: string) => string | null = () => null): Promise<S3StoreConfig> {
  const config = { ...(await newBucket()), maxRetainDays: 4000 };
  const client = plainClient(config);
  for (const key of archive.keys()) {
    const lock = (await archive.state(key, ''))?.lock ?? null;
    const date = until(key) ?? lock?.until;
    const bytes = archive.get(key);
    await client.send(
      new PutObjectCommand({
        Bucket: config.bucket,
        Key: config.prefix + key,
        Body: bytes,
        ContentMD5: createHash('md5').update(bytes).digest('base64'),
        ...(lock === null || date === undefined
          ? {}
          : { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: new Date(date) }),
      }),
    );
  }
  client.destroy();
  return config;
}

async function scrubOf(config: S3StoreConfig): Promise<Scrubbed> {
  await using folder = await temporaryFolder();
  await using store = await openS3Store(config, UNPROBED);
  return await scrubbed(
    {
      abilities: { versions: true, locks: true },
      listVersions: (prefix, after) => store.listVersions(prefix, after),
      readStream: (key, version) => store.readStream(key, version),
      state: (key, version) => store.state(key, version),
    },
    folder.path,
  );
}

describe('a scrub of a bucket', () => {
  it('finds nothing where nothing was done, then a marker, a later version, and what was shorter locked', async () => {
    const config = await inBucket();
    expect(await scrubOf(config)).toMatchObject({ complete: true, codes: [] });
    const client = plainClient(config);
    const [pack, media] = [archive.key('/pack/', 0), archive.key('media/', 0)];
    const at = (key: string): { Bucket: string; Key: string } => ({ Bucket: config.bucket, Key: config.prefix + key });
    await client.send(new DeleteObjectCommand(at(pack)));
    const marked = await scrubOf(config);
    expect([marked.codes, marked.told.map(({ key }) => key)]).toEqual([['verify/version-delete-marker'], [pack]]);
    const other = flip(archive.get(media), 9);
    const ContentMD5 = createHash('md5').update(other).digest('base64');
    await client.send(new PutObjectCommand({ ...at(media), Body: other, ContentMD5 }));
    expect((await scrubOf(config)).codes).toEqual(['verify/version-delete-marker', 'verify/version-other-bytes']);
    client.destroy();

    const soon = new Date(Date.now() + 86_400_000).toISOString();
    const short = await scrubOf(await inBucket((key) => (key === pack ? soon : null)));
    expect([short.codes, short.told.map(({ key }) => key)]).toEqual([['verify/lock-short'], [pack]]);
  }, 300_000);
});
