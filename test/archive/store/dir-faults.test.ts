// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openDirStore } from '../../../src/archive/dir-store.ts';
import { fileFailure } from '../../../src/archive/store-files.ts';
import { Failure } from '../../../src/base/failure.ts';
import { textOf } from './subject.ts';

const path = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
afterAll(() => rm(path, { recursive: true, force: true }));

describe('a directory whose writer is killed', () => {
  it('holds whole objects only, and all that were promised', async () => {
    const promised = new Set<string>();
    for (let round = 0; round < 5; round += 1) {
      const script = fileURLToPath(new URL('dir-writer.ts', import.meta.url));
      const writer = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      writer.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      await once(writer.stdout, 'data');
      await sleep(20 + round * 37);
      writer.kill('SIGKILL');
      await once(writer, 'close');
      for (const key of output.split('\n').slice(0, -1)) promised.add(key);
    }
    const store = await openDirStore(path);
    const found = new Set<string>();
    for await (const { key } of store.listVersions('')) {
      const stored = await store.read(key);
      expect(key).toBe(`log/o/pack/${hash('sha256', stored?.bytes ?? '', 'hex')}`);
      found.add(key);
    }
    expect(promised.size).toBeGreaterThan(5);
    expect([...promised].filter((key) => !found.has(key))).toEqual([]);
    expect(textOf(await store.read('log/o/pack/none'))).toBeNull();
  });
});

describe('a failure of the file system', () => {
  it.each([
    ['ENOSPC', 'store/full', 'store/full'],
    ['EDQUOT', 'store/full', 'store/full'],
    ['EROFS', 'store/denied', 'store/denied'],
    ['EACCES', 'store/denied', 'store/denied'],
    ['EXDEV', 'store/no-ability', 'store/no-ability'],
    ['EPERM', 'store/no-ability', 'store/no-ability'],
    ['EISDIR', 'store/bad-key', 'store/bad-key'],
    ['EMFILE', 'store/unreachable', 'store/unreachable'],
    ['EIO', 'store/unreachable', 'store/unknown-outcome'],
    ['ESTALE', 'store/unreachable', 'store/unknown-outcome'],
  ])('%s is %s to a reader and %s to a writer', (code, read, write) => {
    const error = Object.assign(new Error('open /secret/path'), { code });
    expect(fileFailure(error, 'key', 'read').code).toBe(read);
    const failure = fileFailure(error, 'key', 'write');
    expect(failure.code).toBe(write);
    expect(failure.message).not.toContain('/secret/path');
    expect(failure.cause).toBeUndefined();
  });

  it('that has a code already keeps it', () => {
    const failure = new Failure('store/too-large', { expected: 'a', got: 'b' });
    expect(fileFailure(failure, 'key', 'write')).toBe(failure);
  });
});
