// SPDX-License-Identifier: AGPL-3.0-or-later

import { DeleteObjectCommand, HeadObjectCommand, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Redis } from 'ioredis';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLockedBucket, createUser, s3Client } from './ceph.ts';
import { Guard } from './guard.ts';
import { startRedis } from './redis.ts';
import { sharedRedisUrl, sharedS3, uniqueName } from './shared.ts';

const DAY_MS = 24 * 60 * 60_000;

/** Fails with the first error of the connection: those of the commands only say that it is closed. */
async function withRedis<T>(url: string, act: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  let first: Error | undefined;
  client.on('error', (error) => (first ??= error));
  try {
    await client.connect();
    return await act(client);
  } catch (error) {
    throw first ?? error;
  } finally {
    client.disconnect();
  }
}

describe('the shared Redis', () => {
  it('answers, writes every command to its append-only file and evicts nothing', async () => {
    await withRedis(sharedRedisUrl(), async (client) => {
      expect(await client.ping()).toBe('PONG');
      expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
      expect(await client.config('GET', 'appendfsync')).toEqual(['appendfsync', 'everysec']);
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    });
  });
});

describe("a test's own Redis", () => {
  it('has after kill -9 and a restart what it had answered to', async () => {
    await using redis = await startRedis({ appendfsync: 'always' });
    await withRedis(redis.url, (client) => client.set('held', 'fast'));
    await redis.kill();
    await expect(withRedis(redis.url, (client) => client.ping())).rejects.toThrow();
    await redis.restart();
    expect(await withRedis(redis.url, (client) => client.get('held'))).toBe('fast');
  });

  it('shows its append-only file, and is empty after flushall', async () => {
    await using redis = await startRedis();
    await withRedis(redis.url, (client) => client.set('needle', 'x'));
    const aof = join(redis.dir, 'appendonlydir');
    const written = readdirSync(aof).map((file) => readFileSync(join(aof, file), 'utf8'));
    expect(written.join('')).toContain('needle');
    await redis.flushall();
    expect(await withRedis(redis.url, (client) => client.dbsize())).toBe(0);
  });

  it('applies an ACL file and a memory limit', async () => {
    await using guard = new Guard('acl');
    const aclFile = join(guard.dir, 'users.acl');
    writeFileSync(aclFile, 'user default off\nuser admin on >secret ~* &* +@all\n');
    const admin = { username: 'admin', password: 'secret' };
    await using redis = await startRedis({ aclFile, admin, maxmemory: '5mb' });
    await expect(withRedis(redis.url, (client) => client.get('x'))).rejects.toThrow('NOAUTH');
    const fill = withRedis(`redis://admin:secret@127.0.0.1:${redis.port}`, (client) =>
      client.set('x', Buffer.alloc(6_000_000)).then(() => client.set('y', '1')),
    );
    await expect(fill).rejects.toThrow('OOM');
    await redis.flushall();
  });

  it('does not outlive a process that is killed', async () => {
    const program = `import { startRedis } from './redis.ts'; console.log((await startRedis()).dir); setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [printed] = (await once(owner.stdout, 'data')) as [Buffer];
    const dir = printed.toString().trim();
    const [port] = /^port (.*)$/m.exec(readFileSync(join(dir, 'redis.conf'), 'utf8'))?.slice(1) ?? [];
    const url = `redis://127.0.0.1:${port}`;
    expect(await withRedis(url, (client) => client.ping())).toBe('PONG');
    owner.kill('SIGKILL');
    await expect.poll(() => existsSync(dir), { timeout: 20_000 }).toBe(false);
    await expect(withRedis(url, (client) => client.ping())).rejects.toThrow('ECONNREFUSED');
  });

  it('leaves no directory behind', async () => {
    const redis = await startRedis();
    expect(existsSync(redis.dir)).toBe(true);
    await redis.stop();
    expect(existsSync(redis.dir)).toBe(false);
  });
});

describe('the shared Ceph', () => {
  it('locks a version in compliance mode and refuses to delete it', async () => {
    const ceph = sharedS3();
    const bucket = uniqueName('locked');
    await createLockedBucket(ceph, bucket);
    const client = s3Client(ceph);
    const retainUntil = new Date(Math.trunc(Date.now() / 1000) * 1000 + DAY_MS);
    const object = { Bucket: bucket, Key: 'record' };
    const { VersionId } = await client.send(
      new PutObjectCommand({
        ...object,
        Body: 'sealed',
        ContentMD5: createHash('md5').update('sealed').digest('base64'),
        ObjectLockMode: 'COMPLIANCE',
        ObjectLockRetainUntilDate: retainUntil,
      }),
    );
    expect(VersionId).toBeDefined();
    const head = await client.send(new HeadObjectCommand({ ...object, VersionId }));
    expect(head.ObjectLockMode).toBe('COMPLIANCE');
    expect(head.ObjectLockRetainUntilDate).toEqual(retainUntil);
    const remove = client.send(new DeleteObjectCommand({ ...object, VersionId, BypassGovernanceRetention: true }));
    await expect(remove).rejects.toMatchObject({ name: 'AccessDenied' });
    client.destroy();
  });

  it('has users who see nothing of each other', async () => {
    const bucket = uniqueName('own');
    await createLockedBucket(sharedS3(), bucket);
    const auditor = s3Client(await createUser(sharedS3(), uniqueName('auditor')));
    expect((await auditor.send(new ListBucketsCommand({}))).Buckets ?? []).toEqual([]);
    await expect(auditor.send(new PutObjectCommand({ Bucket: bucket, Key: 'x', Body: 'x' }))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    auditor.destroy();
  });
});
