// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import { headsKey } from '../../src/record/layout.ts';
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { codesOf, notesOf, smallArchive, verify } from './subject.ts';

describe('heads', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test('heads that nothing names are what a crash left: a note', async () => {
    const copy = archive.clone();
    copy.put(headsKey(ORIGIN, 7), 'x');
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/heads-orphan']]);
  });
});
