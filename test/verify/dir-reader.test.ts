// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDirStore } from '../../src/archive/dir-store.ts';
import { openDirReader } from '../../src/verify/dir-reader.ts';
import { readWhole, ReaderTrouble } from '../../src/verify/reader.ts';
import { verifyArchive } from '../../src/verify/verify.ts';
import { makeArchive, temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { MemoryArchive } from './memory-archive.ts';

async function put(root: string, key: string, bytes: string | Buffer): Promise<void> {
  await mkdir(dirname(join(root, key)), { recursive: true });
  await writeFile(join(root, key), bytes);
}

describe('an archive in a folder', () => {
  test('is listed in the order of keys, without working areas and links', async () => {
    await using folder = await temporaryFolder();
    const keys = ['a-b/1', 'a/1', 'a/2', 'a0', 'b'];
    for (const key of keys) await put(folder.path, key, key);
    await put(folder.path, '.tmp/x', 'x');
    await put(folder.path, 'a/.hidden', 'x');
    await symlink(join(folder.path, 'b'), join(folder.path, 'c'));
    const reader = await openDirReader(folder.path);
    const all = await Array.fromAsync(reader.listVersions(''));
    expect(all.map(({ key, size }) => [key, size])).toEqual(keys.toSorted().map((key) => [key, key.length]));
    const some = await Array.fromAsync(reader.listVersions('a/', 'a/1'));
    expect(some.map(({ key }) => key)).toEqual(['a/2']);
    expect(await Array.fromAsync(reader.listVersions('nowhere/'))).toEqual([]);
  });

  test('reads large files in pieces and small ones whole', async () => {
    await using folder = await temporaryFolder();
    await put(folder.path, 'large', '');
    await truncate(join(folder.path, 'large'), 40 * 2 ** 20 + 1);
    await put(folder.path, 'small', 'small');
    const reader = await openDirReader(folder.path);
    const pieces = await Array.fromAsync(await reader.readStream('large', ''));
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBe(40 * 2 ** 20 + 1);
    expect((await readWhole(reader, 'small', '', 5)).toString()).toBe('small');
  });

  test('does not follow links, climb out, or believe another size', async () => {
    await using folder = await temporaryFolder();
    await put(folder.path, 'file', 'bytes');
    await symlink(join(folder.path, 'file'), join(folder.path, 'link'));
    const reader = await openDirReader(join(folder.path));
    for (const key of ['link', '../file', 'a//b', '.tmp/x', 'none']) {
      await expect(readWhole(reader, key, '', 5)).rejects.toThrow(ReaderTrouble);
    }
    for (const size of [4, 6]) await expect(readWhole(reader, 'file', '', size)).rejects.toThrow(ReaderTrouble);
    expect(await reader.state('file', '')).toMatchObject({ size: 5, lock: null });
    expect(await reader.state('none', '')).toBeNull();
  });

  test('cannot be opened where there is none', async () => {
    await using folder = await temporaryFolder();
    await put(folder.path, 'file', 'x');
    await expect(openDirReader(join(folder.path, 'none'))).rejects.toThrow();
    await expect(openDirReader(join(folder.path, 'file'))).rejects.toThrow();
  });

  test('that is empty, or of another log, could not be checked', async () => {
    await using folder = await temporaryFolder();
    const report = await verifyArchive(await openDirReader(folder.path), TRUST);
    expect([report.headline, report.exitCode]).toEqual(['could not check', 2]);
    const other = { ...TRUST, origin: 'other.example/log', log: { ...TRUST.log, name: 'other.example/log' } };
    const archive = await openDirReader(await makeArchive(folder.path));
    const elsewhere = await verifyArchive(archive, other);
    expect([elsewhere.exitCode, elsewhere.unchecked[0]?.code]).toEqual([2, 'verify/log-absent']);
    expect(elsewhere.unchecked[0]?.first[0]?.got).toMatch(/^log\/archive\.example\/log\//);
    const wrong = await verifyArchive(archive, { ...TRUST, origin: '../x' });
    expect([wrong.exitCode, wrong.unchecked[0]?.code]).toEqual([2, 'verify/origin-malformed']);
  });

  test('may be read through the archive’s own store as well, which is a reader as it stands', async () => {
    await using folder = await temporaryFolder();
    await using store = await openDirStore(await makeArchive(folder.path));
    expect((await verifyArchive(store, TRUST)).headline).toBe('verified');
  });

  test('gives the same report as any other reader of the same objects', async () => {
    await using folder = await temporaryFolder();
    const path = await makeArchive(folder.path);
    const memory = await MemoryArchive.of(path);
    memory.abilities = { versions: false, locks: false };
    expect(await verifyArchive(await openDirReader(path), TRUST)).toEqual(await verifyArchive(memory, TRUST));
  });
});
