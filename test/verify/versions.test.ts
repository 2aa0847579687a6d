// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpointKey, segmentPrefix } from '../../src/record/layout.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { renderText } from '../../src/verify/render.ts';
import { ORIGIN, signingPair } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog, type Draft, type DraftSegment } from './relog.ts';
import { codesAfter, codesOf, flip, lockAll, notesOf, smallArchive, verify } from './subject.ts';

type Row = readonly [string, (archive: MemoryArchive) => void, readonly FindingCode[]];

const FOLDERS = ['/segment/', '/heads/', '/pack/', 'media/'] as const;

function each(change: (archive: MemoryArchive, key: string) => void): Row[1] {
  return (archive) => {
    for (const folder of FOLDERS) change(archive, archive.key(folder, -1));
  };
}

const VERSIONS: readonly Row[] = [
  ['delete markers', each((archive, key) => archive.addDeleteMarker(key)), ['verify/version-delete-marker']],
  [
    'later versions with other bytes',
    each((archive, key) => archive.addVersion(key, flip(archive.get(key), 9))),
    ['verify/version-other-bytes'],
  ],
  [
    'later versions with other sizes',
    each((archive, key) => archive.addVersion(key, Buffer.from('x'))),
    ['verify/version-other-bytes'],
  ],
  [
    'a first version with other bytes, where the right ones came later',
    (archive) => {
      const key = archive.key('/pack/', 0);
      const bytes = archive.get(key);
      archive.put(key, flip(bytes, 1));
      archive.addVersion(key, bytes);
    },
    ['verify/pack-hash', 'verify/version-other-bytes'],
  ],
  [
    'names that nothing here has',
    (archive) => {
      for (const name of ['segment/1', 'heads/x', 'pack/0123']) archive.put(`log/${ORIGIN}/${name}`, 'x');
      archive.put(`media/00/${'1'.repeat(64)}`, 'x');
    },
    ['verify/version-unknown-key'],
  ],
  [
    'an object of which only a delete marker is left',
    (archive) => {
      const key = archive.key('/pack/', 0);
      archive.put(key, '');
      archive.addDeleteMarker(key);
      const versions = archive.listVersions.bind(archive);
      archive.listVersions = async function* (prefix, after) {
        for await (const item of versions(prefix, after)) if (item.key !== key || item.deleteMarker) yield item;
      };
    },
    ['verify/pack-missing', 'verify/version-delete-marker'],
  ],
];

const RACED = '2026-11-22T13:00:01Z';

/** A segment for the last place of the log as a second archiver would have written it. */
function losing(archive: MemoryArchive, change: (draft: Draft) => void): Buffer {
  const copy = archive.clone();
  relog(copy, change);
  return copy.get(copy.key('/segment/', -1));
}

const LATER = '2099-01-01T00:00:00Z';

const LOCKS: readonly Row[] = [
  ['no lock at all', each((archive, key) => archive.lock(key, null)), ['verify/lock-missing']],
  [
    'locks that anybody with a right may lift',
    (archive) => {
      for (const key of [
        archive.key('/segment/', -1),
        archive.key('/heads/', -1),
        archive.key('/pack/', -1),
        archive.key('media/', 0),
      ]) {
        archive.lock(key, { mode: 'GOVERNANCE', until: LATER });
      }
    },
    ['verify/lock-mode'],
  ],
  [
    'locks that end too early',
    each((archive, key) => archive.lock(key, { mode: 'COMPLIANCE', until: '2027-01-01T00:00:00Z' })),
    ['verify/lock-short'],
  ],
  [
    'a segment that ends before its pack',
    (archive) => {
      const key = archive.keyWith('/segment/', '"until":"2033-', 0);
      archive.lock(key, { mode: 'COMPLIANCE', until: '2033-01-01T00:00:00Z' });
    },
    ['verify/lock-short'],
  ],
  [
    'a date that is none',
    (archive) => archive.lock(archive.key('/pack/', 0), { mode: 'COMPLIANCE', until: 'soon' }),
    ['verify/lock-short'],
  ],
  ['locks longer than asked', each((archive, key) => archive.lock(key, { mode: 'COMPLIANCE', until: LATER })), []],
];

describe('a store with versions and locks', () => {
  let archive: MemoryArchive;

  beforeAll(async () => {
    archive = await smallArchive();
    relog(archive, ({ segments }) => {
      const store = segments[0]?.own.find(({ t }) => t === 'store') as object;
      Object.assign(store, { kind: 's3', create: 'first-listed', hold: true, locks: true });
    });
    lockAll(archive);
  });

  test('verifies, and is called WORM', async () => {
    const report = await verify(archive);
    expect([codesOf(report), notesOf(report), report.exitCode]).toEqual([[], [], 0]);
    expect(report.store).toMatchObject({ kind: 's3', locksChecked: true, versionsChecked: true });
    expect(renderText(report)).toContain('WORM: object locks and versions checked');
  });

  test.each(VERSIONS)('finds %s', async (_name, change, codes) => {
    expect(await codesAfter(archive, change)).toEqual(codes);
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
