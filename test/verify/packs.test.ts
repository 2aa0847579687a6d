// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { sha256Hex } from '../../src/record/hash.ts';
import { mediaKey, packKey } from '../../src/record/layout.ts';
import { LONG_CLASS } from '../support/archive-fixture.ts';
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog } from './relog.ts';
import { codesOf, notesOf, smallArchive, verify } from './subject.ts';
import { busy } from '../tamper/packs.ts';

describe('packs, objects and epochs', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test('stored things that nothing names, and documents without a use, are notes', async () => {
    const copy = archive.clone();
    relog(copy, (draft) => void busy(draft).docs.push('{"a":"document"}'));
    copy.put(packKey(ORIGIN, sha256Hex('pack')), 'pack');
    copy.put(mediaKey(sha256Hex('object')), 'object');
    const report = await verify(copy);
    expect(codesOf(report)).toEqual([]);
    expect(notesOf(report)).toEqual(['verify/segment-unused-document', 'verify/pack-orphan', 'verify/object-orphan']);
  });

  test('a class without a schedule is a note', async () => {
    const copy = archive.clone();
    relog(copy, ({ segments }) => {
      for (const segment of segments) {
        segment.own = segment.own.filter((entry) => entry.t !== 'retention' || entry.class !== LONG_CLASS);
      }
    });
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/pack-provisional']]);
  });
});
