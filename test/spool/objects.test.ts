// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copySpool, objectFiles, tamper } from '../support/spool-disk.ts';
import { SpoolKit, temporaryDirectory, until } from '../support/spool-kit.ts';
import { attachment, message, pieces } from '../support/spool-parts.ts';
import { newFar, ShippingKit } from '../support/shipping-kit.ts';

/** The directory as a crash now would leave it. */
function crashCopy(kit: SpoolKit): string {
  const copy = temporaryDirectory();
  mkdirSync(join(copy, 'objects'));
  copySpool(kit.directory, copy);
  for (const name of objectFiles(kit.directory))
    copyFileSync(join(kit.directory, 'objects', name), join(copy, 'objects', name));
  return copy;
}

describe('a staged object', () => {
  it('that no record named when the process died is gone after the next start; one that a record named stays', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    await sink.deliverMedia(attachment('named', randomBytes(1000)));
    const named = objectFiles(kit.directory);
    await kit.spool.objects.stage(pieces(randomBytes(1000)));
    writeFileSync(join(kit.directory, 'objects', 'staging-1-7'), 'half of one');
    const copy = crashCopy(kit);
    expect(objectFiles(copy)).toHaveLength(3);
    await using again = await SpoolKit.open(copy);
    expect(objectFiles(copy)).toEqual(named);
    expect(again.spool.objects.pending(1, 0, 10)).toHaveLength(1);
  });

  it('is not named by anything before it is whole: a crash at any moment leaves no row without its file', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const copies: string[] = [];
    const slow = async function* (): AsyncGenerator<Buffer> {
      for await (const piece of pieces(randomBytes(500_000))) {
        yield piece;
        copies.push(crashCopy(kit));
      }
    };
    const delivered = sink.deliverMedia(attachment('photo', Buffer.alloc(0), { bytes: slow() }));
    await delivered;
    copies.push(crashCopy(kit));
    for (const [at, copy] of copies.entries()) {
      await using again = await SpoolKit.open(copy);
      const rows = again.spool.objects.pending(1, 0, 10).map(({ hash }) => hash);
      expect(objectFiles(copy)).toEqual(rows);
      expect(rows).toHaveLength(at === copies.length - 1 ? 1 : 0);
      for (const object of again.spool.objects.pending(1, 0, 10))
        expect(await again.spool.objects.check(object)).toBe(object.md5);
    }
  });

  it('is padded: its sealed length tells little of its length', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const sizes = new Set<number>();
    for (let size = 100_000; size < 101_000; size += 100)
      sizes.add((await kit.spool.objects.stage(pieces(Buffer.alloc(size)))).size);
    expect(sizes.size).toBeLessThanOrEqual(2);
  });

  it('is known for missing, cut off or changed', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { objects } = kit.spool;
    const staged = await objects.stage(pieces(randomBytes(100_000)));
    expect(await objects.check(staged)).toBe(staged.md5);
    const path = objects.pathOf(staged.hash);
    expect(await objects.check({ ...staged, size: staged.size + 1 })).toBeNull();
    truncateSync(path, staged.size - 1);
    expect(await objects.check(staged)).toBeNull();
    writeFileSync(path, randomBytes(staged.size));
    expect(await objects.check(staged)).toBeNull();
    rmSync(path);
    expect(await objects.check(staged)).toBeNull();
  });

  it('whose row was lost is tied to its record again by the next start, and uploaded', async () => {
    const far = newFar();
    far.link.isAway = true;
    const directory = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, directory, ['first'], {
        times: { headsTimeoutMs: 10, doubtPauseMs: 0 },
      });
      await of.sink.deliverMedia(attachment('photo', randomBytes(10_000)));
      await of.sink.deliver([message('a')]);
    }
    tamper(directory, (db) => db.exec('DELETE FROM objects'));
    far.link.isAway = false;
    await using again = await ShippingKit.start(far, directory);
    await until('all is archived', () => again.spool.backlog() === 0);
    expect(far.log.violations).toEqual([]);
    expect(again.told).toMatchObject({ refusals: [], troubles: [] });
    expect(readdirSync(far.log.objects)).toEqual(objectFiles(directory));
    expect(far.log.all().map(({ entry }) => entry.t)).toEqual(['open', 'media', 'content']);
  });
});

describe('an upload', () => {
  it('that was pending is made after a restart, before the batch that names it, and once', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    const order: string[] = [];
    far.log.grant = (object) => {
      order.push('grant');
      return far.log.fileGrant(object);
    };
    {
      far.link.isAway = true;
      await using of = await ShippingKit.start(far, directory, ['first'], {
        times: { headsTimeoutMs: 10, doubtPauseMs: 0 },
      });
      await of.sink.deliverMedia(attachment('photo', randomBytes(300_000)));
    }
    far.link.isAway = false;
    {
      await using of = await ShippingKit.start(far, directory);
      await until('all is archived', () => of.spool.backlog() === 0);
      expect(order).toEqual(['grant']);
      expect(far.log.violations).toEqual([]);
    }
    await using of = await ShippingKit.start(far, directory);
    await of.sink.deliver([message('a')]);
    await until('all is archived', () => of.spool.backlog() === 0);
    expect(order).toEqual(['grant']);
  });
});
