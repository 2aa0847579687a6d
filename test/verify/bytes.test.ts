// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { mediaKey } from '../../src/record/layout.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { codesOf, flip, notesOf, smallArchive, verify } from './subject.ts';
import { CHECKPOINT, cut, flipIn } from '../tamper/bytes.ts';

describe('bytes changed in the store, without any key', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test('finds changed sizes without reading payloads, and says that it read none', async () => {
    const copy = archive.clone();
    cut('/pack/', 0, 1)(copy);
    cut('media/', 0, 1)(copy);
    flipIn('/pack/', 5)(copy);
    const report = await verify(copy, { payloads: false });
    expect(codesOf(report)).toEqual(['verify/pack-size', 'verify/object-size']);
    expect(report.payloads).toBe(false);
  });

  test('names leaf, key, what was expected and what was got', async () => {
    const copy = archive.clone();
    const key = copy.key('media/', 0);
    copy.put(key, flip(copy.get(key), 7));
    const [found] = (await verify(copy)).findings;
    expect(found).toMatchObject({ code: 'verify/object-hash', severity: 'finding', count: 1 });
    const [finding] = found?.first ?? [];
    expect(finding?.where).toMatchObject({
      key,
      seq: expect.any(Number),
      stream: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(mediaKey(finding?.expected ?? '')).toBe(key);
    expect(finding?.got).toMatch(/^[0-9a-f]{64}$/);
  });

  test('collects every finding, not the first alone', async () => {
    const copy = archive.clone();
    for (const folder of ['/pack/', 'media/', '/heads/']) flipIn(folder, 50)(copy);
    copy.remove(copy.key('/pack/', -1));
    expect(codesOf(await verify(copy))).toEqual([
      'verify/pack-missing',
      'verify/pack-hash',
      'verify/object-hash',
      'verify/heads-malformed',
    ]);
  });

  test('a missing checkpoint follows from the segments, so it is a note', async () => {
    const copy = archive.clone();
    copy.remove(CHECKPOINT);
    const report = await verify(copy);
    expect([report.exitCode, notesOf(report)]).toEqual([0, ['verify/checkpoint-missing']]);
  });
});
