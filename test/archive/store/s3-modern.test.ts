// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterAll, describe, expect, it } from 'vitest';
import { openS3Store } from '../../../src/archive/s3-store.ts';
import { sharedS3 } from '../../services/shared.ts';
import { storeContract } from './contract.ts';
import { startModernS3 } from './modern-s3.ts';
import { newBucket, s3Subject } from './s3-subject.ts';
import { freshKey, lockFor } from './subject.ts';

const proxy = await startModernS3(sharedS3().endpoint);
const config = await newBucket(proxy.url);
const subject = await s3Subject(config);
const { store } = subject;
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

describe('a bucket that honours preconditions and checksums', () => {
  it('is found to be one', () => {
    expect(store.abilities).toEqual({
      kind: 's3',
      create: 'if-none-match',
      locks: true,
      legalHold: true,
      versions: true,
      checksumSha256: true,
      grants: true,
    });
  });

  storeContract(subject);

  it('reads nothing back that the server has hashed', async () => {
    const key = freshKey();
    const lock = await lockFor(store);
    proxy.seen.length = 0;
    await store.create(key, Buffer.from('bytes'), lock);
    expect(proxy.seen.map(({ method }) => method).toSorted()).toEqual(['GET', 'HEAD', 'PUT']);
    expect(proxy.seen.find(({ method }) => method === 'PUT')?.headers['content-md5']).toBeUndefined();
    proxy.seen.length = 0;
    await store.create(key, Buffer.from('bytes'), lock);
    expect(proxy.seen.map(({ method }) => method).toSorted()).toEqual(['GET', 'HEAD', 'PUT']);
  });

  it('leaves no second version behind where a writer lost', async () => {
    const key = freshKey();
    const lock = await lockFor(store);
    await store.create(key, Buffer.from('first'), lock);
    await store.create(key, Buffer.from('other'), lock);
    expect(await Array.fromAsync(store.listVersions(key))).toHaveLength(1);
  });

  it('reads back by its bytes what others stored without a checksum', async () => {
    const key = freshKey();
    await subject.others?.addVersion(key, Buffer.from('bytes'));
    const lock = await lockFor(store);
    const { won, version } = await store.create(key, Buffer.from('bytes'), lock);
    expect(won).toBe(true);
    expect((await store.state(key, version))?.lock).toEqual(lock);
    await using other = await openS3Store(config, store.abilities);
    expect((await other.create(key, Buffer.from('other'), lock)).won).toBe(false);
  });
});
