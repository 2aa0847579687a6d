// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openDirStore } from '../../../src/archive/dir-store.ts';
import type { UploadGrant } from '../../../src/archive/store.ts';
import { storeContract } from './contract.ts';
import { digestOf, expectFailure, freshKey, listed, lockFor } from './subject.ts';

const root = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
const path = join(root, 'new', 'archive');
const store = await openDirStore(path);
afterAll(() => rm(root, { recursive: true, force: true }));

async function upload(grant: UploadGrant, bytes: Uint8Array): Promise<number> {
  const target = fileURLToPath(grant.url);
  const part = `${target}.${Math.random().toString(36).slice(2)}.part`;
  await using file = await open(part, 'wx');
  await file.writeFile(bytes);
  await file.sync();
  await rename(part, target);
  return 200;
}

describe('a directory', () => storeContract({ store, open: () => openDirStore(path), upload, others: null }));

describe('a directory as such', () => {
  it('says that it is not WORM', () => {
    expect(store.abilities).toEqual({
      kind: 'directory',
      create: 'link',
      locks: false,
      legalHold: false,
      versions: false,
      checksumSha256: true,
      grants: true,
    });
  });

  it('makes what it keeps read-only', async () => {
    const key = freshKey();
    await store.create(key, Buffer.of(1), await lockFor(store));
    expect((await stat(join(path, key))).mode & 0o777).toBe(0o444);
  });

  it('leaves nothing behind but the objects', async () => {
    const key = freshKey();
    const lock = await lockFor(store);
    await Promise.all([1, 2, 3].map((byte) => store.create(key, Buffer.of(byte), lock)));
    await store.putDerived('log/o/checkpoint', Buffer.of(1));
    expect(await readdir(join(path, '.tmp'))).toEqual([]);
    expect((await listed(store, '')).every((one) => !one.key.startsWith('.'))).toBe(true);
  });

  it('removes at its start what a crash left, and not what is being written', async () => {
    const old = join(path, '.tmp', 'left-by-a-crash');
    const young = join(path, '.tmp', 'being-written');
    const part = join(path, '.incoming', 'media', 'x', 'y.part');
    const upload = join(path, '.incoming', 'media', 'x', 'finished');
    await mkdir(join(path, '.incoming', 'media', 'x'), { recursive: true });
    for (const file of [old, young, part, upload]) await writeFile(file, '');
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    for (const file of [old, part, upload]) await utimes(file, yesterday, yesterday);
    await openDirStore(path);
    await expect(stat(old)).rejects.toThrow('ENOENT');
    await expect(stat(part)).rejects.toThrow('ENOENT');
    expect((await stat(young)).isFile()).toBe(true);
    expect((await stat(upload)).isFile()).toBe(true);
    await rm(young);
  });

  it('opens beside itself without disturbing a write', async () => {
    const lock = await lockFor(store);
    const writes = Array.from({ length: 50 }, () => store.create(freshKey(), Buffer.alloc(10_000), lock));
    await Promise.all([...writes, ...Array.from({ length: 20 }, () => openDirStore(path))]);
  });

  it('checks what it publishes, not what the uploader can still change', async () => {
    const key = freshKey('media/aa');
    const bytes = Buffer.from('a sealed object');
    const grant = await store.grant(key, digestOf(bytes), await lockFor(store));
    await upload(grant, bytes);
    await using held = await open(fileURLToPath(grant.url), 'r+');
    expect((await store.state(key, ''))?.sha256).toBe(grant.sha256);
    await held.write(Buffer.from('forged'), 0, 6, 0);
    expect(await readFile(join(path, key))).toEqual(bytes);
  });

  it('does not take an unfinished upload', async () => {
    const key = freshKey('media/aa');
    const bytes = Buffer.from('a sealed object');
    const grant = await store.grant(key, digestOf(bytes), await lockFor(store));
    await writeFile(`${fileURLToPath(grant.url)}.1.part`, bytes);
    expect(await store.state(key, '')).toBeNull();
  });

  it('does not take a folder or a link for an object', async () => {
    const lock = await lockFor(store);
    await store.create('log/nested/segment/1', Buffer.of(1), lock);
    expect(await store.read('log/nested')).toBeNull();
    await expectFailure(store.create('log/nested', Buffer.of(1), lock), 'store/bad-key');
    await expectFailure(store.create('log/nested/segment/1/2', Buffer.of(1), lock), 'store/bad-key');
    await symlink('/etc/hostname', join(path, 'log/nested/link'));
    await expectFailure(store.read('log/nested/link'), 'store/bad-key');
    expect(await listed(store, 'log/nested')).toHaveLength(1);
  });

  it('finds a file that somebody changed to be another object', async () => {
    const key = freshKey();
    await store.create(key, Buffer.from('first'), await lockFor(store));
    await chmod(join(path, key), 0o644);
    await writeFile(join(path, key), 'fIrst');
    expect((await store.create(key, Buffer.from('first'), await lockFor(store))).won).toBe(false);
    expect((await store.state(key, ''))?.sha256).toBe(digestOf(Buffer.from('fIrst')).sha256);
  });

  it('tells its own clock', async () => {
    await using other = await openDirStore(path, () => 1_234);
    expect(await other.serverTimeMs()).toBe(1_234);
  });

  it('cannot be a file', async () => {
    await writeFile(join(root, 'file'), '');
    await expectFailure(openDirStore(join(root, 'file')), 'store/bad-key');
    await expectFailure(openDirStore(join(root, 'file', 'archive')), 'store/bad-key');
  });
});
