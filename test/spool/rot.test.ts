// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasLostFrames } from '../../src/spool/write-log.ts';
import { SeededRandom } from '../support/random.ts';
import { copySpool, objectFiles, readDisk } from '../support/spool-disk.ts';
import { temporaryDirectory, until } from '../support/spool-kit.ts';
import { message, START_MS } from '../support/spool-parts.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type Far } from '../support/shipping-kit.ts';

const QUICK = { times: { headsTimeoutMs: 20, doubtPauseMs: 0 } };
const LATER = { changes: { nowMs: START_MS + 3_600_000 } };
const logOf = (directory: string): string => join(directory, 'spool.db-wal');

/** A spool of a process that was killed: `count` records that were acknowledged and not sent, all of them still in the log of writes. */
async function killed(far: Far, count: number): Promise<string> {
  const copy = temporaryDirectory();
  mkdirSync(join(copy, 'objects'));
  far.link.isAway = true;
  await using of = await ShippingKit.start(far, temporaryDirectory(), ['process', 'first'], QUICK);
  const sink = of.sinks[1] as ShippingKit['sink'];
  for (let at = 0; at < count; at += 1) await sink.deliver([message(`${at}`)]);
  copySpool(of.kit.directory, copy);
  for (const name of objectFiles(of.kit.directory))
    copyFileSync(join(of.kit.directory, 'objects', name), join(copy, 'objects', name));
  return copy;
}

/** Starts the connector over what is there, twice, and lets it ship everything. */
async function recover(far: Far, directory: string): Promise<Awaited<ReturnType<typeof readLog>>> {
  far.link.isAway = false;
  for (let start = 0; start < 2; start += 1) {
    await using of = await ShippingKit.start(far, directory, ['process', 'first'], LATER);
    await of.attachments.settled();
    await until('all is archived', () => of.spool.backlog() === 0);
    expect(of.kit.fatal).toEqual([]);
    expect(far.log.violations).toEqual([]);
  }
  return readLog(far.log);
}

const all = (count: number): string[] => Array.from({ length: count }, (_, at) => `raw bytes of ${at}`).toSorted();

describe('a log of writes', () => {
  it('in which a bit rotted gives back all behind it too, which SQLite takes for never written', async () => {
    for (const share of [0.3, 0.6, 0.9]) {
      const far = newFar();
      const directory = await killed(far, 60);
      const bytes = readFileSync(logOf(directory));
      const at = Math.floor(bytes.length * share);
      bytes[at] = (bytes[at] as number) ^ 4;
      writeFileSync(logOf(directory), bytes);
      expect(hasLostFrames(logOf(directory))).toBe(true);
      const { direct, orphaned } = await recover(far, directory);
      const found = new Set([...direct, ...orphaned]);
      // The one page with the bit may have held the only copy of its newest record.
      expect(all(60).filter((raw) => !found.has(raw)).length).toBeLessThanOrEqual(1);
      expect(direct.length + orphaned.length).toBe(found.size);
      expect(orphaned.length).toBeGreaterThan(0);
    }
  });

  it('whose header rotted gives back all', async () => {
    const far = newFar();
    const directory = await killed(far, 30);
    const bytes = readFileSync(logOf(directory));
    bytes[2] = 0;
    writeFileSync(logOf(directory), bytes);
    const { direct, orphaned } = await recover(far, directory);
    expect([...direct, ...orphaned].toSorted()).toEqual(all(30));
  });

  it('that was cut off anywhere starts, and holds what lies before the cut', async () => {
    const far = newFar();
    const directory = await killed(far, 40);
    const size = statSync(logOf(directory)).size;
    const random = new SeededRandom(5);
    let before = 40;
    for (const share of [0.95, 0.7, 0.4, 0.1]) {
      const copy = temporaryDirectory();
      mkdirSync(join(copy, 'objects'));
      copySpool(directory, copy);
      truncateSync(logOf(copy), Math.floor(size * share) + random.below(4000));
      expect(hasLostFrames(logOf(copy))).toBe(false);
      const there = readDisk(copy, temporaryDirectory()).find(({ no }) => no === 2)?.rows.length ?? 0;
      const { direct, orphaned } = await recover(newFar(), copy);
      expect(orphaned).toEqual([]);
      expect(direct).toHaveLength(Math.max(0, there - 1));
      expect(direct.length).toBeLessThan(before);
      before = direct.length + 1;
    }
  });

  it('is sound after a clean stop and after a kill, whatever else lies behind its end', async () => {
    const far = newFar();
    const directory = await killed(far, 20);
    expect(hasLostFrames(logOf(directory))).toBe(false);
    // A file system may leave anything behind the end of what was written.
    writeFileSync(logOf(directory), Buffer.concat([readFileSync(logOf(directory)), randomBytes(20_000)]));
    expect(hasLostFrames(logOf(directory))).toBe(false);
    expect(hasLostFrames(join(directory, 'none'))).toBe(false);
    const { direct, orphaned } = await recover(far, directory);
    expect([direct.toSorted(), orphaned]).toEqual([all(20), []]);
  });
});

describe('a record that rots under a running process', () => {
  it('is not sent: the process ends, and the next start repairs what the disk left', async () => {
    const far = newFar();
    far.link.isAway = true;
    const directory = temporaryDirectory();
    const copy = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, directory, ['process', 'first'], { ...QUICK, againAfterMs: 100 });
      const sink = of.sinks[1] as ShippingKit['sink'];
      for (let at = 0; at < 5; at += 1) await sink.deliver([message(`${at}`)]);
      const victim = readDisk(directory, temporaryDirectory())[1]?.rows[3]?.body ?? Buffer.alloc(0);
      // More than SQLite keeps in memory, so that it must read the record again.
      for (let at = 0; at < 100; at += 1) await sink.deliver([message(`heavy ${at}`, { raw: randomBytes(60_000) })]);
      // In the log, and where it was copied back to meanwhile.
      flipAll([logOf(directory), join(directory, 'spool.db')], victim);
      far.link.isAway = false;
      await until('it ends', () => of.kit.fatal.length > 0);
      expect(of.kit.fatal.map(({ code }) => code)).toEqual(['spool/damaged']);
      expect(far.log.violations).toEqual([]);
      mkdirSync(join(copy, 'objects'));
      copySpool(directory, copy);
    }
    const { direct, orphaned, holes } = await recover(far, copy);
    const found = new Set([...direct, ...orphaned]);
    expect([0, 1, 2, 3, 4].filter((at) => !found.has(`raw bytes of ${at}`)).length).toBeLessThanOrEqual(1);
    expect(found.size).toBeGreaterThanOrEqual(104);
    expect(holes.length).toBeLessThanOrEqual(1);
  });
});

/** Flips a bit of every copy of these bytes in some files. */
function flipAll(paths: readonly string[], needle: Buffer): void {
  let found = 0;
  for (const path of paths) {
    const bytes = readFileSync(path);
    const file = openSync(path, 'r+');
    for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
      writeSync(file, Buffer.of((bytes[at + 40] as number) ^ 1), 0, 1, at + 40);
      found += 1;
    }
    closeSync(file);
  }
  expect(found).toBeGreaterThan(0);
}

describe('a spool in which anything may have rotted', () => {
  it.each([21, 22, 23, 24, 25, 26])(
    'starts, and what it acknowledged is in the log in one form or another, or known for lost (seed %i)',
    async (seed) => {
      const random = new SeededRandom(seed);
      const far = newFar();
      const count = 150;
      const directory = await killed(far, count);
      // Everything into the database itself.
      await using once = await ShippingKit.open(far, directory, ['process', 'first'], QUICK);
      await once[Symbol.asyncDispose]();
      const path = join(directory, 'spool.db');
      const bytes = readFileSync(path);
      const flips = 1 + random.below(12);
      for (let flip = 0; flip < flips; flip += 1) {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      }
      writeFileSync(path, bytes);
      const { direct, orphaned, holes, rotten } = await recover(far, directory);
      const found = new Set([...direct, ...orphaned]);
      const missing = all(count).filter((raw) => !found.has(raw)).length;
      const inHoles = holes.reduce((sum, [, length]) => sum + length, 0);
      expect(missing, `${flips} flips, ${inHoles} in holes, ${rotten} rotten`).toBeLessThanOrEqual(flips);
    },
  );
});
