// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkBundle } from '../../src/prove/check.ts';
import { tilePrefix } from '../../src/record/layout.ts';
import { temporaryFolder, TRUST } from '../support/archive-fixture.ts';
import { ORIGIN } from '../vectors/keys.ts';
import { bundleOf, lay, madeArchive, middleLeaf, publishTiles, recordsOf, sourceOf, stepsOf } from './subject.ts';

const run = promisify(execFile);

describe('a proof bundle', () => {
  let folder: { path: string } & AsyncDisposable;
  let archive: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    archive = await madeArchive(folder.path);
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test.each(['tiles', 'segments alone'])('of every record holds, made from %s', async (from) => {
    await rm(join(archive, tilePrefix(ORIGIN)), { recursive: true, force: true });
    if (from === 'tiles') await publishTiles(archive);
    const records = await recordsOf(archive);
    expect(records.length).toBe(29);
    for (const { leaf } of records) {
      const report = checkBundle(await bundleOf(archive, leaf), { trust: TRUST });
      expect([leaf, report.findings]).toEqual([leaf, []]);
      expect(report.proven).toMatchObject({ leaf, origin: ORIGIN });
      const { size } = report.proven ?? { size: 0 };
      expect(from === 'tiles' ? size : leaf).toBeGreaterThan(from === 'tiles' ? 40 : -1);
    }
  });

  test('has the neighbours of its record and the seal behind it, where there are any', async () => {
    const records = await recordsOf(archive);
    for (const { leaf, entry } of records) {
      const files = await bundleOf(archive, leaf);
      const ofStream = records.filter((other) => other.entry.stream === entry.stream);
      const [before, behind] = [-1, 1].map((step) => ofStream.find((other) => other.entry.seq === entry.seq + step));
      expect([files.has('previous.json'), files.has('next.json')]).toEqual([
        before !== undefined,
        behind !== undefined,
      ]);
    }
    const first = await bundleOf(archive, records[0]?.leaf ?? 0);
    const last = await bundleOf(archive, records.at(-1)?.leaf ?? 0);
    expect([first.has('seal.json'), last.has('seal.json')]).toEqual([true, false]);
  });

  test('is the same whenever it is made', async () => {
    const leaf = await middleLeaf(archive);
    expect(await bundleOf(archive, leaf)).toEqual(await bundleOf(archive, leaf));
  });

  test('stays below 64 KiB without content', async () => {
    for (const { leaf } of await recordsOf(archive)) {
      const sizes = [...(await bundleOf(archive, leaf)).values()].map(({ length }) => length);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(64 * 1024);
    }
  });

  test('is found by the record’s id as by its leaf', async () => {
    const source = await sourceOf(archive);
    for (const { leaf, id } of await recordsOf(archive)) expect(await source.leafOf(id)).toBe(leaf);
    expect(await source.leafOf('0'.repeat(64))).toBeNull();
    await rm(join(archive, tilePrefix(ORIGIN)), { recursive: true, force: true });
    const bare = await sourceOf(archive);
    for (const { leaf, id } of await recordsOf(archive)) expect(await bare.leafOf(id)).toBe(leaf);
  });

  test('discloses what is asked for, and of the rest a hash that tells nothing', async () => {
    const records = (await recordsOf(archive)).filter(({ entry }) => entry.t === 'content');
    const texts: string[] = [];
    for (const { leaf } of records) {
      const files = await bundleOf(archive, leaf, ['view']);
      const report = checkBundle(files);
      expect([report.findings, report.disclosed]).toEqual([[], ['view']]);
      expect([...files.keys()].filter((name) => name.startsWith('disclosed/')).toSorted()).toEqual([
        'disclosed/commitments',
        'disclosed/view.json',
        'disclosed/view.part',
      ]);
      texts.push((JSON.parse(files.get('disclosed/view.json')?.toString() ?? '{}') as { reason: string }).reason);
    }
    expect(texts).toEqual(expect.arrayContaining(['one', 'between', 'on a new device', 'the end']));
    // One of them is too long for a pack and lies in an object.
    expect(texts.some((text) => text.length > 100_000)).toBe(true);
  });

  test('is checked by the six commands of its README, exactly as they stand there, and content by a seventh', async () => {
    for (const [parts, count] of [
      [[], 6],
      [['cap', 'view', 'raw'], 7],
    ] as const) {
      await using laid = await temporaryFolder();
      const files = await bundleOf(archive, await middleLeaf(archive), parts);
      await lay(files, laid.path);
      const steps = stepsOf(files.get('README.txt')?.toString() ?? '');
      expect(steps.length).toBe(count);
      for (const { command, prints } of steps) {
        const { stdout } = await run('sh', ['-c', command], { cwd: laid.path });
        expect(stdout.trimEnd().split('\n'), command).toEqual(prints);
        expect(command).toMatch(/openssl|sha256sum/);
      }
    }
  });

  test('fails by hand where a byte of the record is another', async () => {
    await using laid = await temporaryFolder();
    const files = await bundleOf(archive, await middleLeaf(archive));
    const record = files.get('record.json')?.toString() ?? '';
    await lay(new Map([...files, ['record.json', Buffer.from(record.replace('"i":', '"i":1'))]]), laid.path);
    const failed: number[] = [];
    for (const [n, { command, prints }] of stepsOf(files.get('README.txt')?.toString() ?? '').entries()) {
      const stdout = await run('sh', ['-c', command], { cwd: laid.path }).then(
        (said) => said.stdout,
        (error: { stdout: string }) => error.stdout,
      );
      if (stdout.trimEnd() !== prints.join('\n')) failed.push(n + 1);
    }
    expect(failed).toEqual([2, 3, 6]);
  });
});
