// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpointKey, segmentPrefix } from '../../src/record/layout.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { renderText } from '../../src/verify/render.ts';
import { ORIGIN, signingPair } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import type { Draft, DraftSegment } from './relog.ts';
import { codesAfter, codesOf, flip, notesOf, smallArchive, verify } from './subject.ts';
import { toBucket, FOLDERS, LOCKS, RACED, each, losing } from '../tamper/versions.ts';

describe('a store with versions and locks', () => {
  let archive: MemoryArchive;

  beforeAll(async () => {
    archive = await smallArchive();
    toBucket(archive);
  });

  test('verifies, and is called WORM', async () => {
    const report = await verify(archive);
    expect([codesOf(report), notesOf(report), report.exitCode]).toEqual([[], [], 0]);
    expect(report.store).toMatchObject({ kind: 's3', locksChecked: true, versionsChecked: true });
    expect(renderText(report)).toContain('WORM: object locks and versions checked');
  });

  test.each(LOCKS)('judges %s', async (_name, change, codes) => {
    expect(await codesAfter(archive, change)).toEqual(codes);
    expect(await codesAfter(archive, change, { payloads: false })).toEqual(codes);
  });

  test('later versions with the same bytes are notes, whoever wrote them', async () => {
    const copy = archive.clone();
    each((to, key) => to.addVersion(key, to.get(key)))(copy);
    each((to, key) => to.addVersion(key, to.get(key)))(copy);
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/version-identical']]);
    expect(report.notes[0]?.count).toBe(8);
  });

  test('a segment that came second for its place is a note; what no archiver of this log wrote there is a finding', async () => {
    const later = async (bytes: Buffer): Promise<[FindingCode[], FindingCode[]]> => {
      const copy = archive.clone();
      copy.addVersion(copy.key('/segment/', -1), bytes);
      const report = await verify(copy);
      return [codesOf(report), notesOf(report)];
    };
    const bySecond = losing(archive, ({ segments }) => void ((segments.at(-1) as DraftSegment).at = RACED));
    expect(await later(bySecond)).toEqual([[], ['verify/version-losing-segment']]);
    const other: [FindingCode[], FindingCode[]] = [['verify/version-other-bytes'], []];
    const byStranger = (draft: Draft): void => {
      Object.assign(draft.segments.at(-1) as DraftSegment, { at: RACED, archiver: signingPair('stranger') });
    };
    expect(await later(losing(archive, byStranger))).toEqual(other);
    expect(await later(losing(archive, ({ segments }) => void ((segments[1] as DraftSegment).at = RACED)))).toEqual(
      other,
    );
    expect(await later(archive.get(archive.key('/segment/', 0)))).toEqual(other);
    expect(await later(flip(bySecond, bySecond.length - 20))).toEqual(other);
  });

  test('the newest version of the checkpoint counts, because it is not locked', async () => {
    const copy = archive.clone();
    const key = checkpointKey(ORIGIN);
    const good = copy.get(key);
    copy.put(key, 'once');
    copy.addVersion(key, good);
    expect(codesOf(await verify(copy))).toEqual([]);
    copy.addVersion(key, Buffer.from('now'));
    expect(codesOf(await verify(copy))).toEqual(['verify/checkpoint-unsigned']);
  });

  test('a copy without locks and versions has its integrity verified, and no more', async () => {
    const copy = archive.clone();
    copy.abilities = { versions: false, locks: false };
    const report = await verify(copy);
    expect([report.verdict, report.exitCode]).toEqual(['integrity', 2]);
    expect(report.headline).toBe('integrity verified; locks and versions not checked');
    expect((await verify(copy, { integrityOnly: true })).exitCode).toBe(0);
    copy.put(copy.key('/pack/', 0), 'x');
    expect((await verify(copy, { integrityOnly: true })).exitCode).toBe(1);
  });

  test('what the store does not give is "could not check", never "verified"', async () => {
    for (const folder of [...FOLDERS, '/checkpoint']) {
      const copy = archive.clone();
      copy.broken.add(copy.key(folder, -1));
      const report = await verify(copy, { integrityOnly: true });
      expect([report.verdict, report.exitCode]).toEqual(['unchecked', 2]);
      expect(report.unchecked[0]).toMatchObject({ code: 'verify/reader-failed', first: [{ got: 'ECONNRESET' }] });
      expect(renderText(report)).not.toContain('secret words');
      // The rest was read all the same.
      expect(report.counts.records).toBeGreaterThan(20);
    }
  });

  test('a listing that fails ends the check, with what was found until then', async () => {
    const copy = archive.clone();
    copy.listVersions = (prefix) => {
      if (prefix === segmentPrefix(ORIGIN)) throw new TypeError('fetch failed');
      return archive.listVersions(prefix);
    };
    const report = await verify(copy);
    expect([report.verdict, report.headline, report.exitCode]).toEqual(['unchecked', 'could not check', 2]);
    expect(report.unchecked[0]?.first[0]).toMatchObject({ where: { key: segmentPrefix(ORIGIN) }, got: 'TypeError' });
  });
});
