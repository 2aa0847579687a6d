// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { objectFiles, readDisk, tamper, type StoredStream } from '../support/spool-disk.ts';
import { SpoolKit, temporaryDirectory, until } from '../support/spool-kit.ts';
import { attachment, message } from '../support/spool-parts.ts';
import { newFar, ShippingKit, type Far } from '../support/shipping-kit.ts';
import { CONNECTOR } from '../vectors/keys.ts';

const DAY_MS = 86_400_000;

const diskOf = ({ directory }: SpoolKit): StoredStream => readDisk(directory, temporaryDirectory())[0] as StoredStream;
const seqs = (kit: SpoolKit): number[] => diskOf(kit).rows.map(({ seq }) => seq);

async function archived(of: ShippingKit, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await of.sink.deliver([message(id)]);
    await until(`${id} is archived`, () => of.spool.backlog() === 0);
  }
}

async function readBackAll({ log }: Far, of: ShippingKit): Promise<void> {
  log.answer(CONNECTOR.key.id, { kind: 'readback', leaves: log.size });
  await until('the read-back is known', () => of.spool.receipts.readBack === log.size);
}

describe('pruning', () => {
  it('takes only what is archived, was read back and is seven days old, and leaves the newest batch', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory());
    await archived(of, ['a', 'b', 'c']);
    of.kit.nowMs += 8 * DAY_MS;
    expect(await of.spool.prune()).toBe(0);
    expect(seqs(of.kit)).toEqual([0, 1, 2, 3]);
    await readBackAll(far, of);
    of.kit.nowMs -= 2 * DAY_MS;
    expect(await of.spool.prune()).toBe(0);
    of.kit.nowMs += 2 * DAY_MS;
    expect(await of.spool.prune()).toBe(3);
    expect(seqs(of.kit)).toEqual([3]);
    expect(await of.spool.prune()).toBe(0);
    expect(seqs(of.kit)).toEqual([3]);
  });

  it('keeps what has no receipt, however old, and the last archived batch before it', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory());
    await archived(of, ['a', 'b']);
    await readBackAll(far, of);
    far.link.isAway = true;
    for (const id of ['c', 'd', 'e']) await of.sink.deliver([message(id)]);
    of.kit.nowMs += 400 * DAY_MS;
    expect(await of.spool.prune()).toBe(2);
    expect(seqs(of.kit)).toEqual([2, 3, 4, 5]);
    far.link.isAway = false;
    await until('all is archived', () => of.spool.backlog() === 0);
    expect(far.log.all().map(({ entry }) => entry.seq)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(far.log.violations).toEqual([]);
  });

  it('leaves a chain that goes on, with or without a restart', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, directory);
      await archived(of, ['a', 'b', 'c']);
      await readBackAll(far, of);
      of.kit.nowMs += 8 * DAY_MS;
      await of.spool.prune();
      await archived(of, ['d']);
    }
    await using of = await ShippingKit.start(far, directory, ['first'], {
      changes: { nowMs: Date.parse('2026-12-05T00:00:00Z') },
    });
    expect(of.kit.found).toEqual([]);
    await archived(of, ['e']);
    const [stream] = [...far.log.streams.values()];
    expect(stream?.records.map(({ entry }) => entry.seq)).toEqual([0, 1, 2, 3, 4, 5]);
    expect([far.log.streams.size, far.log.violations]).toEqual([1, []]);
  });

  it('removes objects with the rows that name them, and not before', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory());
    await of.sink.deliverMedia(attachment('photo', randomBytes(10_000)));
    await until('it is archived', () => of.spool.backlog() === 0);
    await archived(of, ['a', 'b']);
    const files = objectFiles(of.kit.directory);
    expect(files).toHaveLength(1);
    of.kit.nowMs += 8 * DAY_MS;
    await of.spool.prune();
    expect(objectFiles(of.kit.directory)).toEqual(files);
    await readBackAll(far, of);
    await of.spool.prune();
    expect(objectFiles(of.kit.directory)).toEqual([]);
    expect(of.spool.objects.isKnown(files[0] ?? '')).toBe(false);
  });

  it('forgets epochs that no waiting record names, and identities after sixty days', async () => {
    const far = newFar();
    const directory = temporaryDirectory();
    const documents = (kit: SpoolKit): number => readDiskCount(kit, 'epochs');
    // A start makes two epochs before anything is sealed, so that the second is there two hours later.
    const deliver = async (of: ShippingKit, early: string, late: string): Promise<void> => {
      await of.sink.deliver([message(early)]);
      of.kit.nowMs += 2 * 3_600_000;
      await of.sink.deliver([message(late)]);
    };
    const first = await ShippingKit.start(far, directory);
    await deliver(first, 'a', 'b');
    await until('all is archived', () => first.spool.backlog() === 0);
    await first[Symbol.asyncDispose]();
    await using of = await ShippingKit.start(far, directory, ['first'], { changes: { nowMs: first.kit.nowMs } });
    far.link.isAway = true;
    await deliver(of, 'c', 'd');
    const before = documents(of.kit);
    expect(before).toBeGreaterThanOrEqual(3);
    of.kit.nowMs += 30 * DAY_MS;
    await of.spool.prune();
    // Those of `c` and `d` are still to be sent, and with them the newest.
    expect(documents(of.kit)).toBe(2);
    far.link.isAway = false;
    await until('all is archived', () => of.spool.backlog() === 0);
    expect(far.log.violations).toEqual([]);
    expect(of.sink.has(message('a').native)).toBe(true);
    of.kit.nowMs += 31 * DAY_MS;
    await of.spool.prune();
    expect(documents(of.kit)).toBe(1);
    expect(of.sink.has(message('a').native)).toBe(false);
    await of.sink.deliver([message('after')]);
    await until('it is archived', () => of.spool.backlog() === 0);
    expect(far.log.violations).toEqual([]);
  });

  it('gives the space back to the volume', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, temporaryDirectory());
    const size = (): number => statSync(join(of.kit.directory, 'spool.db')).size;
    for (let at = 0; at < 40; at += 1) {
      const captures = Array.from({ length: 20 }, (_, no) => message(`${at} ${no}`, { raw: randomBytes(50_000) }));
      await of.sink.deliver(captures);
    }
    await until('all is archived', () => of.spool.backlog() === 0);
    await readBackAll(far, of);
    const before = size();
    of.kit.nowMs += 8 * DAY_MS;
    await of.spool.prune();
    await of.kit.reopen();
    expect(before).toBeGreaterThan(30_000_000);
    expect(size()).toBeLessThan(20_000_000);
  });
});

function readDiskCount(kit: SpoolKit, table: string): number {
  const scratch = temporaryDirectory();
  readDisk(kit.directory, scratch);
  let count = 0;
  tamper(scratch, (db) => (count = Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])));
  return count;
}
