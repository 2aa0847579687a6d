// SPDX-License-Identifier: AGPL-3.0-or-later
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { relog, type Draft } from '../verify/relog.ts';
import { flip, lockAll } from '../verify/subject.ts';
import type { ArchiveRow } from './row.ts';

export const FOLDERS = ['/segment/', '/heads/', '/pack/', 'media/'] as const;

export function each(change: (archive: MemoryArchive, key: string) => void): ArchiveRow[1] {
  return (archive) => {
    for (const folder of FOLDERS) change(archive, archive.key(folder, -1));
  };
}

export const VERSIONS: readonly ArchiveRow[] = [
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

export const RACED = '2026-11-22T13:00:01Z';

/** A segment for the last place of the log as a second archiver would have written it. */
export function losing(archive: MemoryArchive, change: (draft: Draft) => void): Buffer {
  const copy = archive.clone();
  relog(copy, change);
  return copy.get(copy.key('/segment/', -1));
}

const LATER = '2099-01-01T00:00:00Z';

export const LOCKS: readonly ArchiveRow[] = [
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
    'heads that end before what they vouch for, though not before the shortest schedule',
    (archive) => archive.lock(archive.key('/heads/', -1), { mode: 'COMPLIANCE', until: '2031-01-01T00:00:00Z' }),
    ['verify/lock-short'],
  ],
  [
    'a date that is none',
    (archive) => archive.lock(archive.key('/pack/', 0), { mode: 'COMPLIANCE', until: 'soon' }),
    ['verify/lock-short'],
  ],
  ['locks longer than asked', each((archive, key) => archive.lock(key, { mode: 'COMPLIANCE', until: LATER })), []],
];

/** Makes an archive one that was written to a bucket: its log says so, and every object is locked. */
export function toBucket(archive: MemoryArchive): void {
  relog(archive, ({ segments }) => {
    const store = segments[0]?.own.find(({ t }) => t === 'store') as object;
    Object.assign(store, { kind: 's3', create: 'first-listed', hold: true, locks: true });
  });
  lockAll(archive);
}
