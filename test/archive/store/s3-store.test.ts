// SPDX-License-Identifier: AGPL-3.0-or-later
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { openS3Store, UNPROBED } from '../../../src/archive/s3-store.ts';
import type { S3StoreConfig } from '../../../src/archive/s3-wire.ts';
import type { ArchiveStore } from '../../../src/archive/store.ts';
import { storeContract } from './contract.ts';
import { newBucket, PREFIX, s3Subject } from './s3-subject.ts';
import { digestOf, drained, expectFailure, failureOf, freshKey, listed, lockFor, textOf } from './subject.ts';

const config = await newBucket();
const subject = await s3Subject(config);
const { store } = subject;
afterAll(() => store[Symbol.asyncDispose]());

describe('a bucket on Ceph', () => storeContract(subject));

describe('a bucket as such', () => {
  it('keeps everything under its prefix and shows nothing beside it', async () => {
    const key = freshKey();
    await store.create(key, Buffer.of(1), await lockFor(store));
    await using whole = await openS3Store({ ...config, prefix: '' }, store.abilities);
    expect(await listed(whole, `${PREFIX}${key}`)).toHaveLength(1);
    expect(await whole.read(key)).toBeNull();
    await using beside = await openS3Store({ ...config, prefix: 'other/' }, store.abilities);
    expect(await listed(beside, '')).toEqual([]);
  });

  it.each(['a', '/a/', '../', 'A/'])('refuses the prefix %j', async (prefix) => {
    await expectFailure(openS3Store({ ...config, prefix }, store.abilities), 'store/bad-key');
  });

  it('gives a reader that never probed the same winners, and no grants', async () => {
    const key = freshKey();
    await store.create(key, Buffer.from('first'), await lockFor(store));
    await subject.others?.addVersion(key, Buffer.from('later'));
    await using reader = await openS3Store(config, UNPROBED);
    expect(textOf(await reader.read(key))).toBe('first');
    await expectFailure(reader.grant(key, digestOf(Buffer.of(1)), await lockFor(reader)), 'store/no-ability');
  });

  it('gives the rest of a version from a byte on, and says so where it cannot', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.from('0123456789'), await lockFor(store));
    await subject.others?.addVersion(key, Buffer.from('a later version'));
    await using reader = await openS3Store(config, UNPROBED);
    for (const of of [version, '']) {
      expect(String(await drained(await reader.readFrom(key, of, 3)))).toBe('3456789');
      expect(String(await drained(await reader.readFrom(key, of, 9)))).toBe('9');
      expect(String(await drained(await reader.readFrom(key, of, 0)))).toBe('0123456789');
    }
    const behind = async (): Promise<Buffer> => drained(await reader.readFrom(key, version, 10));
    await expect(behind()).rejects.toThrow(/store\//);
    const missing = async (): Promise<Buffer> => drained(await reader.readFrom(freshKey(), '', 1));
    await expectFailure(missing(), 'store/not-found');
  });

  it('has no holds where the credentials have none', async () => {
    const key = freshKey();
    await store.create(key, Buffer.of(1), await lockFor(store));
    await using archiver = await openS3Store(config, { ...store.abilities, legalHold: false });
    await expectFailure(archiver.setLegalHold(key, '', true), 'store/no-ability');
  });

  it('lists more than a thousand objects', async () => {
    const folder = freshKey('log/origin.example/tile');
    const keys = Array.from({ length: 1_050 }, (_, index) => `${folder}/${String(index).padStart(5, '0')}`);
    for (let at = 0; at < keys.length; at += 25) {
      await Promise.all(keys.slice(at, at + 25).map((key) => store.putDerived(key, Buffer.of(1))));
    }
    expect((await listed(store, folder)).map(({ key }) => key)).toEqual(keys);
    expect(await listed(store, folder, keys[1_039])).toHaveLength(10);
  });

  it('creates with three requests, two of them at once', async () => {
    const { startFaultProxy } = await import('../../faults/http-fault-proxy.ts');
    await using proxy = await startFaultProxy(config.endpoint ?? '');
    await using counted = await openS3Store({ ...config, endpoint: proxy.url }, store.abilities);
    const lock = await lockFor(counted);
    proxy.reset();
    await counted.create(freshKey(), Buffer.of(1), lock);
    const kinds = proxy.seen.map(({ method, path }) => `${method}${path.includes('versions') ? ' versions' : ''}`);
    expect(kinds[0]).toBe('PUT');
    expect(kinds.slice(1).toSorted()).toEqual(['GET', 'GET versions']);
  });
});

describe('failures of a bucket', () => {
  const secret = 'THISISTHESECRET0123456789';
  const calls: [string, (one: ArchiveStore) => Promise<unknown>][] = [
    ['create', async (one) => one.create(freshKey(), Buffer.of(1), await lockFor(store))],
    ['putDerived', (one) => one.putDerived('log/o/checkpoint', Buffer.of(1))],
    ['read', (one) => one.read(freshKey())],
    ['readStream', async (one) => Array.fromAsync(await one.readStream(freshKey(), 'version'))],
    ['listVersions', (one) => listed(one, '')],
    ['state', (one) => one.state(freshKey(), 'version')],
    ['extend', async (one) => one.extend(freshKey(), 'version', await lockFor(store))],
    ['setLegalHold', (one) => one.setLegalHold(freshKey(), 'version', true)],
  ];
  const places: [string, Partial<S3StoreConfig>, string, string][] = [
    ['a wrong secret', { credentials: { ...config.credentials, secretAccessKey: secret } }, 'store/denied', 'retry'],
    ['an unknown user', { credentials: { accessKeyId: secret, secretAccessKey: secret } }, 'store/denied', 'retry'],
    ['a closed port', { endpoint: 'http://127.0.0.1:1' }, 'store/unreachable', 'retry'],
    ['a name nobody has', { endpoint: 'http://nobody.invalid' }, 'store/unreachable', 'retry'],
  ];

  it.each(places)('through %s have a code, a kind and no secrets', async (_, change, code, kind) => {
    await using one = await openS3Store({ ...config, ...change }, store.abilities);
    const words = [secret, config.credentials.secretAccessKey, config.credentials.accessKeyId, config.bucket];
    const failed = calls.map(async ([name, call]) => {
      const failure = await failureOf(call(one));
      expect([name, failure.code, failure.kind]).toEqual([name, code, kind]);
      const all = `${inspect(failure, { depth: 20, showHidden: true })} ${failure.stack} ${JSON.stringify(failure)}`;
      for (const word of [...words, 'X-Amz', 'Signature=', '<?xml']) expect(all).not.toContain(word);
    });
    await Promise.all(failed);
  });

  it('name a bucket that is not there', async () => {
    await expectFailure(openS3Store({ ...config, bucket: 'no-such-bucket' }), 'store/no-bucket');
    await using one = await openS3Store({ ...config, bucket: 'no-such-bucket' }, store.abilities);
    await expectFailure(listed(one, ''), 'store/no-bucket');
    await expectFailure(one.create(freshKey(), Buffer.of(1), await lockFor(store)), 'store/no-bucket');
  });
});
