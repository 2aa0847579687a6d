// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Staging } from '../../src/export/staging.ts';
import { eventually } from '../support/eventually.ts';
import { digestOf, exported, filesIn, indexed } from './kit.ts';
import { makeStory } from './story.ts';

const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'holdfast-staging-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const place = (): string => join(root, `out-${(count += 1)}`);

async function* bytes(...texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}

describe('a folder that is being written', () => {
  it('is not there under its name until it is whole', async () => {
    const out = place();
    {
      await using staging = await Staging.open(out, 'one');
      await staging.write('a/b.txt', () => bytes('x', 'y'));
      expect(existsSync(out)).toBe(false);
      await staging.finish();
    }
    expect(readFileSync(join(out, 'a/b.txt'), 'utf8')).toBe('xy');
    expect(existsSync(`${out}.partial`)).toBe(false);
  });

  it('goes on behind what was finished, and does it once', async () => {
    const out = place();
    {
      await using staging = await Staging.open(out, 'one');
      await staging.write('a', () => bytes('done'));
      await expect(staging.write('b', () => failing())).rejects.toThrow('broken');
    }
    await using staging = await Staging.open(out, 'one');
    expect([staging.finished('a')?.size, staging.finished('b')]).toEqual([4, null]);
    await staging.write('a', () => failing());
    await staging.write('b', () => bytes('too'));
    await staging.finish();
    expect([...filesIn(out)].map(([name, content]) => [name, content.toString()])).toEqual([
      ['a', 'done'],
      ['b', 'too'],
    ]);
  });

  it('forgets what another export finished, and what is no longer as it was finished', async () => {
    const out = place();
    {
      await using staging = await Staging.open(out, 'one');
      await staging.write('a', () => bytes('aaa'));
      await staging.write('b', () => bytes('bbb'));
    }
    writeFileSync(join(`${out}.partial`, 'export', 'a'), 'axa');
    // The last line of a journal that was cut by a power failure.
    appendFileSync(join(`${out}.partial`, 'journal'), '{"name":"c","si');
    {
      await using staging = await Staging.open(out, 'one');
      expect(staging.files.map(({ name }) => name)).toEqual(['b']);
    }
    await using staging = await Staging.open(out, 'two');
    expect(staging.files).toEqual([]);
    expect(filesIn(`${out}.partial`, 'export').size).toBe(0);
  });

  it('is one process’s, and never another’s place', async () => {
    const [out, taken] = [place(), place()];
    await using staging = await Staging.open(out, 'one');
    await expect(Staging.open(out, 'one')).rejects.toMatchObject({ code: 'export/in-use' });
    await staging.finish();
    mkdirSync(taken);
    await expect(Staging.open(taken, 'one')).rejects.toMatchObject({ code: 'export/exists' });
    await expect(Staging.open(join(root, 'missing', '\u0000'), 'one')).rejects.toThrow();
  });
});

async function* failing(): AsyncGenerator<string> {
  yield 'half';
  throw new Error('broken');
}

describe('an export that is killed', () => {
  let archive = '';
  const index = join(root, 'index');
  beforeAll(async () => {
    archive = await makeStory(join(root, 'story'));
    await indexed(archive, index);
  }, 120_000);

  it('is not there, at whatever file it was, and ends as one that nobody killed', async () => {
    const [whole, out] = [place(), place()];
    await exported({ archive, index, out: whole });
    let [runs, finished] = [0, 0];
    for (const stopAt of [1, 2, 4, 6, 9, 11, Infinity]) {
      const child = spawn(process.execPath, [WRITER, archive, index, out, String(stopAt)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const ended = once(child, 'exit');
      if (stopAt !== Infinity) {
        await eventually(() => journalled(out) >= stopAt || child.exitCode !== null).toBe(true);
        child.kill('SIGKILL');
      }
      await ended;
      runs += 1;
      if (stopAt === Infinity) break;
      expect(existsSync(out)).toBe(false);
      // What one run finished, the next one kept.
      expect(journalled(out)).toBeGreaterThanOrEqual(finished);
      finished = journalled(out);
    }
    expect(runs).toBe(7);
    expect(digestOf(out)).toBe(digestOf(whole));
    expect(existsSync(`${out}.partial`)).toBe(false);
  }, 240_000);
});

/** Files that are finished. */
function journalled(out: string): number {
  const journal = join(`${out}.partial`, 'journal');
  return existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length - 2 : 0;
}
