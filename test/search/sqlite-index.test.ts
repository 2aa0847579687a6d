// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import { indexContract, office } from './contract.ts';
import { applyAll, ask } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-index-'));
const directory = join(root, 'index');
beforeEach(() => rmSync(directory, { recursive: true, force: true }));
afterAll(() => rmSync(root, { recursive: true, force: true }));

indexContract('SQLite', () => ({
  openForWriting: async () => SqliteIndex.openForWriting(directory),
  openForReading: async () => SqliteIndex.openForReading(directory),
  clear: async () => rmSync(directory, { recursive: true, force: true }),
}));

describe('the index in a directory', () => {
  it('is for its owner alone', async () => {
    await using db = SqliteIndex.openForWriting(directory);
    await applyAll(db, office().segments);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'index.db')).mode & 0o077).toBe(0);
  });

  it('is refused where others may look', async () => {
    await using db = SqliteIndex.openForWriting(directory);
    await applyAll(db, office().segments);
    chmodSync(directory, 0o750);
    expect(() => SqliteIndex.openForReading(directory)).toThrow(/search\/index-exposed/);
    expect(() => SqliteIndex.openForWriting(directory)).toThrow(/search\/index-exposed/);
  });

  it('has one writer, and is free again when that ends', async () => {
    const first = SqliteIndex.openForWriting(directory);
    expect(() => SqliteIndex.openForWriting(directory)).toThrow(/search\/index-in-use/);
    await applyAll(first, office().segments);
    await first[Symbol.asyncDispose]();
    await using second = SqliteIndex.openForWriting(directory);
    expect((await ask(second, 'report')).hits).toHaveLength(1);
  });

  it('is empty after it was asked to build anew', async () => {
    const first = SqliteIndex.openForWriting(directory);
    await applyAll(first, office().segments);
    await first[Symbol.asyncDispose]();
    await using second = SqliteIndex.openForWriting(directory, { rebuild: true });
    expect(await second.state()).toBeNull();
  });

  it('says how to build what is not there', () => {
    expect(() => SqliteIndex.openForReading(directory)).toThrow(/search\/index-missing.*holdfast read --once/);
  });
});
