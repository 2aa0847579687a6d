// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import type { MemoryArchive } from './memory-archive.ts';
import { relog } from './relog.ts';
import { codesAfter, smallArchive } from './subject.ts';
import { BATCHES } from '../tamper/entries.ts';

describe('entries and batches, written with all keys in hand', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test('judges signatures alike in threads, which learn keys as the log names them', async () => {
    for (const [name, change, codes] of BATCHES) {
      if (!name.startsWith('a sign')) continue;
      expect(await codesAfter(archive, (copy) => relog(copy, change), { workers: 1 })).toEqual(codes);
    }
  });
});
