// SPDX-License-Identifier: AGPL-3.0-or-later
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RoundFile, type RoundState } from '../../src/scrub/round-file.ts';
import { temporaryFolder } from '../support/archive-fixture.ts';
import { checkpointKey } from '../../src/record/layout.ts';
import { goOnIn, NEXT_TRUST } from '../tamper/next-log.ts';
import { ORIGIN } from '../vectors/keys.ts';
import { BYTES } from '../tamper/bytes.ts';
import type { ArchiveRow } from '../tamper/row.ts';
import { LOCKS, toBucket, VERSIONS } from '../tamper/versions.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { codesOf, flip, smallArchive, verify } from '../verify/subject.ts';
import { NOW, scrubbed, WatchedReader } from './kit.ts';

let inFolder: MemoryArchive;
let inBucket: MemoryArchive;
beforeAll(async () => {
  inFolder = await smallArchive();
  inBucket = inFolder.clone();
  toBucket(inBucket);
  inFolder.abilities = { versions: false, locks: false };
}, 120_000);

describe('a scrub', () => {
  it('of what is as it was reads every pack and object once, and finds nothing', async () => {
    await using folder = await temporaryFolder();
    for (const archive of [inFolder, inBucket]) {
      const reader = new WatchedReader(archive);
      const { complete, codes, state } = await scrubbed(reader, join(folder.path, String(archive.abilities.locks)));
      const payloads = archive.keys().filter((key) => key.includes('/pack/') || key.startsWith('media/'));
      expect([complete, codes]).toEqual([true, []]);
      expect(reader.payloads.toSorted()).toEqual(payloads);
      const bytes = payloads.reduce((sum, key) => sum + archive.get(key).length, 0);
      expect(state).toMatchObject({ objects: payloads.length, readObjects: payloads.length, bytes, readBytes: bytes });
      expect(state.finishedAt).toBe(NOW);
    }
  });

  it.each([
    ['bytes in a folder', BYTES, () => inFolder],
    ['versions in a bucket', VERSIONS, () => inBucket],
    ['locks in a bucket', LOCKS, () => inBucket],
  ] satisfies [string, readonly ArchiveRow[], () => MemoryArchive][])(
    'finds what verify finds: %s',
    async (_name, rows, archive) => {
      for (const [kind, change] of rows) {
        await using folder = await temporaryFolder();
        const copy = archive().clone();
        change(copy);
        const expected = codesOf(await verify(copy)).toSorted();
        const { codes, told, complete } = await scrubbed(copy, folder.path);
        expect([kind, codes]).toEqual([kind, expected]);
        expect(new Set(told.map(({ code }) => code))).toEqual(new Set(expected));
        expect([kind, complete]).toEqual([kind, true]);
      }
    },
    300_000,
  );

  it('tells of a finding before it reads on', async () => {
    await using folder = await temporaryFolder();
    const order = new WatchedReader(inFolder);
    await scrubbed(order, join(folder.path, 'order'));
    const [first = ''] = order.payloads;
    const copy = inFolder.clone();
    copy.put(first, flip(copy.get(first), 40));
    const reader = new WatchedReader(copy);
    // As a kill would: nothing behind the first one is read.
    reader.beforeRead = () => {
      if (reader.payloads.length > 0) throw Object.assign(new Error('stop'), { code: 'STOP' });
    };
    const { told } = await scrubbed(reader, folder.path);
    expect(told[0]).toMatchObject({ code: 'verify/pack-hash', key: first });
  });

  it('goes on behind what was read, and forgets no finding, when the store failed in between', async () => {
    await using folder = await temporaryFolder();
    const copy = inBucket.clone();
    const [first, second] = [copy.key('/pack/', 0), copy.key('/pack/', 1)];
    copy.put(first, flip(copy.get(first), 1));
    copy.broken.add(second);
    const before = await scrubbed(copy, folder.path);
    expect([before.complete, before.codes]).toEqual([false, ['verify/pack-hash', 'verify/reader-failed']]);
    expect(before.state.finishedAt).toBeNull();
    copy.broken.clear();
    const reader = new WatchedReader(copy);
    const after = await scrubbed(reader, folder.path);
    expect([after.complete, after.codes, reader.reads]).toEqual([true, ['verify/pack-hash'], [second]]);
    expect(after.told).toEqual([]);
  });

  it('that could not read the log through begins anew, and a finished one gives way to the next', async () => {
    await using folder = await temporaryFolder();
    const copy = inBucket.clone();
    copy.broken.add(copy.key('/segment/', 1));
    const before = await scrubbed(copy, folder.path);
    expect([before.complete, before.state.size]).toEqual([false, 0]);
    copy.broken.clear();
    const pack = copy.key('/pack/', 0);
    for (let round = 0; round < 2; round += 1) {
      const reader = new WatchedReader(copy);
      expect(await scrubbed(reader, folder.path)).toMatchObject({ complete: true, codes: [] });
      expect(reader.reads).toContain(pack);
    }
    copy.put(pack, flip(copy.get(pack), 3));
    expect((await scrubbed(copy, folder.path)).codes).toEqual(['verify/pack-hash']);
  });

  it('does not count as ended before what is to stay of it does', async () => {
    await using folder = await temporaryFolder();
    const copy = inBucket.clone();
    const pack = copy.key('/pack/', 0);
    copy.put(pack, flip(copy.get(pack), 1));
    const kept: RoundState[] = [];
    const killed = scrubbed(copy, folder.path, {
      onEnd: () => {
        throw Object.assign(new Error('stop'), { code: 'STOP' });
      },
    });
    await expect(killed).rejects.toMatchObject({ code: 'STOP' });
    const reader = new WatchedReader(copy);
    const { codes, state } = await scrubbed(reader, folder.path, { onEnd: (one) => kept.push(one) });
    expect([codes, reader.reads]).toEqual([['verify/pack-hash'], []]);
    expect(kept).toEqual([state]);
    expect(state).toMatchObject({ findings: 1, finishedAt: NOW });
  });

  it('says of a log before this one that it is of that', async () => {
    await using folder = await temporaryFolder();
    const line = inFolder.clone();
    line.abilities = inFolder.abilities;
    goOnIn(line);
    line.put(checkpointKey(ORIGIN), Buffer.from('nothing that anybody signed'));
    const { told } = await scrubbed(line, folder.path, { trust: NEXT_TRUST });
    const key = `${checkpointKey(ORIGIN)}, log ${ORIGIN}`;
    expect(told).toEqual([expect.objectContaining({ code: 'verify/checkpoint-unsigned', key })]);
  });

  it('is one process’s, and its state is one archive’s', async () => {
    await using folder = await temporaryFolder();
    const open = (archive: string): RoundFile => RoundFile.open(folder.path, archive, () => NOW);
    {
      using one = open('one');
      expect(one.isPlanned).toBe(false);
      expect(() => open('one')).toThrow(/scrub\/in-use/);
    }
    expect(() => open('two')).toThrow(/scrub\/other-archive/);
    open('one')[Symbol.dispose]();
  });
});
