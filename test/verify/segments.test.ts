// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpointKey } from '../../src/record/layout.ts';
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { notesOf, smallArchive, verify } from './subject.ts';
import { segmentAt } from '../tamper/segments.ts';

describe('segments and checkpoints', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test('a checkpoint that was rolled back proves less, which is a note', async () => {
    const copy = archive.clone();
    copy.put(checkpointKey(ORIGIN), segmentAt(copy, -1).head.checkpoint);
    const report = await verify(copy);
    expect([report.exitCode, notesOf(report)]).toEqual([0, ['verify/checkpoint-behind']]);
  });

  test('what depends on leaves that are gone is not held against the log twice', async () => {
    const copy = archive.clone();
    copy.remove(copy.keyWith('/segment/', '"t":"content"'));
    const report = await verify(copy);
    expect(report.findings.map(({ code, count }) => [code, count])).toEqual([['verify/segment-missing', 1]]);
    expect(notesOf(report)).toContain('verify/claim-uncompared');
  });

  test('says that it could not check where the log is not, and names what is there', async () => {
    const copy = archive.clone();
    for (const key of copy.keys(`log/${ORIGIN}/segment/`)) copy.remove(key);
    const report = await verify(copy);
    expect([report.verdict, report.exitCode, report.unchecked[0]?.code]).toEqual(['unchecked', 2, 'verify/log-absent']);
  });
});
