// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpointKey } from '../../src/record/layout.ts';
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { notesOf, smallArchive, verify } from './subject.ts';

const segmentsOf = (archive: MemoryArchive): string[] => archive.keys().filter((key) => key.includes('/segment/'));

/** Takes away the last segment that names packs, and all behind it. */
function cutOff(archive: MemoryArchive): void {
  const keys = segmentsOf(archive);
  const last = keys.findLastIndex((key) => archive.get(key).includes('"t":"pack"'));
  for (const key of keys.slice(last)) archive.remove(key);
}

describe('without a published checkpoint', () => {
  let archive: MemoryArchive;
  beforeAll(async () => {
    archive = await smallArchive();
    archive.remove(checkpointKey(ORIGIN));
  });

  test('what may be left of a log that was cut off is not called verified', async () => {
    const copy = archive.clone();
    cutOff(copy);
    for (const integrityOnly of [false, true]) {
      const report = await verify(copy, { integrityOnly });
      expect(report.findings).toEqual([]);
      expect(report.unchecked.map(({ code }) => code)).toEqual(['verify/end-unproven']);
      expect([report.exitCode, report.headline]).toEqual([2, 'could not check whether the end of the log is there']);
      expect(notesOf(report)).toContain('verify/pack-orphan');
    }
  });

  test('a pack that nothing names is a note as long as the checkpoint is there', async () => {
    const copy = await smallArchive();
    copy.put(`log/${ORIGIN}/pack/${'ab'.repeat(32)}`, 'what a crash left');
    const report = await verify(copy);
    expect([report.exitCode, report.headline, notesOf(report)]).toEqual([0, 'verified', ['verify/pack-orphan']]);
  });

  test('and without a log, nothing is said of the checkpoint', async () => {
    const copy = archive.clone();
    for (const key of segmentsOf(copy)) copy.remove(key);
    const report = await verify(copy);
    expect(report.unchecked.map(({ code }) => code)).toEqual(['verify/log-absent']);
    expect([notesOf(report), report.headline]).toEqual([[], 'could not check']);
  });
});
