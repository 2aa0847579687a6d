// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DurableFolder, replaceSynced, writeSynced } from '../../src/base/durable-file.ts';

const ID = 'ab'.repeat(32);
let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'holdfast-durable-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a durable folder', () => {
  it('gives back what was put, for its owner only, and makes the way to it', () => {
    const folder = new DurableFolder(join(root, 'some', 'where'), '.entry');
    expect(folder.ids()).toEqual([]);
    folder.put(ID, 'one line');
    folder.put('01'.repeat(32), 'another');
    folder.put(ID, 'one line, anew');
    expect(folder.ids()).toEqual(['01'.repeat(32), ID]);
    expect(readFileSync(folder.path(ID), 'utf8')).toBe('one line, anew');
    expect(statSync(folder.path(ID)).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, 'some', 'where')).mode & 0o777).toBe(0o700);
    folder.remove(ID);
    expect(folder.ids()).toEqual(['01'.repeat(32)]);
  });

  it('takes neither what a crash left half written nor what others put there for entries', () => {
    const folder = new DurableFolder(root, '.json');
    for (const name of [`${ID}.json.part`, 'notes.json', `${ID}.entry`, `${'z'.repeat(64)}.json`]) {
      writeFileSync(join(root, name), 'x');
    }
    expect(folder.ids()).toEqual([]);
    folder.put(ID, 'whole');
    expect(readdirSync(root)).not.toContain(`${ID}.json.part`);
  });
});

describe('a file', () => {
  it('that is new is never written over another', () => {
    const path = join(root, 'key');
    writeSynced(path, 'first', 0o600);
    expect(() => writeSynced(path, 'second', 0o600)).toThrow('EEXIST');
    expect(readFileSync(path, 'utf8')).toBe('first');
  });

  it('that cannot be replaced as a whole stays what it was', () => {
    const path = join(root, 'state');
    replaceSynced(path, 'old', 0o644);
    expect(() => replaceSynced(join(root, 'gone', 'state'), 'new', 0o644)).toThrow('ENOENT');
    replaceSynced(path, 'new '.repeat(1_000_000), 0o644);
    expect(statSync(path).size).toBe(4_000_000);
    expect(existsSync(`${path}.part`)).toBe(false);
  });
});
