// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { entryId } from '../../src/record/entry.ts';
import { carveRows } from '../../src/spool/carve.ts';
import { setAsideFiles } from '../../src/spool/database.ts';
import { PAGE_BYTES } from '../../src/spool/schema.ts';
import { SeededRandom } from '../support/random.ts';
import { copySpool, objectFiles, tamper } from '../support/spool-disk.ts';
import { SpoolKit, temporaryDirectory, until } from '../support/spool-kit.ts';
import { attachment, message, START_MS } from '../support/spool-parts.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type Far } from '../support/shipping-kit.ts';

const QUICK = { times: { headsTimeoutMs: 20, doubtPauseMs: 0 } };
const LATER = { changes: { nowMs: START_MS + 3_600_000 } };
const dbOf = (directory: string): string => join(directory, 'spool.db');

/** Records of a spool, by their raw bytes, and the page of its file that holds each. */
type Placed = Map<string, number>;

/** A closed spool with `archived` records in the log and `unsent` more that are not. */
async function filled(far: Far, archived: number, unsent: number): Promise<{ directory: string; placed: Placed }> {
  const directory = temporaryDirectory();
  await using of = await ShippingKit.start(far, directory, ['process', 'first'], QUICK);
  const sink = of.sinks[1] as ShippingKit['sink'];
  const deliver = (from: number, to: number): Promise<unknown> =>
    sink.deliver(Array.from({ length: to - from }, (_, at) => message(`${from + at}`)));
  await deliver(0, archived);
  await until('all is archived', () => of.spool.backlog() === 0);
  far.link.isAway = true;
  for (let from = archived; from < archived + unsent; from += 50)
    await deliver(from, Math.min(from + 50, archived + unsent));
  await of[Symbol.asyncDispose]();
  return { directory, placed: pagesOf(directory) };
}

function pagesOf(directory: string): Placed {
  const file = readFileSync(dbOf(directory));
  const placed: Placed = new Map();
  tamper(directory, (db) => {
    for (const { line } of db.prepare('SELECT line FROM records').all() as { line: string }[])
      placed.set(line, Math.floor(file.indexOf(line) / PAGE_BYTES));
  });
  return placed;
}

function overwrite(directory: string, pages: Iterable<number>): void {
  const file = readFileSync(dbOf(directory));
  for (const page of pages) file.set(randomBytes(PAGE_BYTES), page * PAGE_BYTES);
  writeFileSync(dbOf(directory), file);
}

/** Starts the connector over what is left, and lets it ship everything. */
async function recover(
  far: Far,
  directory: string,
): Promise<{ found: [string, number][]; log: Awaited<ReturnType<typeof readLog>> }> {
  far.link.isAway = false;
  await using of = await ShippingKit.start(far, directory, ['process', 'first'], LATER);
  await of.attachments.settled();
  await until('all is archived', () => of.spool.backlog() === 0);
  expect(of.kit.fatal).toEqual([]);
  expect(far.log.violations).toEqual([]);
  return { found: of.kit.found, log: await readLog(far.log) };
}

describe('a damaged database', () => {
  it('gives back every unsent record whose page is left, once, and none that the log has', async () => {
    const random = new SeededRandom(7);
    const far = newFar();
    const { directory, placed } = await filled(far, 100, 400);
    const inLog = new Set(far.log.all().map(({ line }) => line));
    const pages = Math.floor(readFileSync(dbOf(directory)).length / PAGE_BYTES);
    // Its first page, so that SQLite knows nothing of it any more, and every fifth of the rest.
    const lost = new Set([
      0,
      ...Array.from({ length: pages - 1 }, (_, at) => at + 1).filter(() => random.next() < 0.2),
    ]);
    overwrite(directory, lost);
    const expected = [...placed].filter(([line, page]) => !lost.has(page) && !inLog.has(line)).map(([line]) => line);
    const { found, log } = await recover(far, directory);
    expect(expected.length).toBeGreaterThan(100);
    const salvaged = found.find(([what]) => what === 'salvaged')?.[1] ?? 0;
    // More only where the row that told what is archived was lost; none is missing and none comes twice.
    expect(salvaged).toBeGreaterThanOrEqual(expected.length);
    expect(new Set(log.orphaned).size).toBe(log.orphaned.length);
    for (const line of expected) expect(log.ids.has(idOf(line))).toBe(true);
    expect(log.gaps).toContain('spool-doubtful');
    expect(readdirSync(directory).some((name) => name.startsWith('salvaged-'))).toBe(true);
    expect(setAsideFiles(directory)).toEqual([]);
  });

  it.each([
    ['the first page', (directory: string) => overwrite(directory, [0])],
    [
      'the header',
      (directory: string) =>
        writeFileSync(dbOf(directory), patched(readFileSync(dbOf(directory)), 0, Buffer.alloc(100))),
    ],
    ['a page of its tree', (directory: string) => overwrite(directory, [rootOfRecords(directory)])],
  ])('gives back all and nothing twice where only %s is gone', async (_name, damage) => {
    const far = newFar();
    const { directory } = await filled(far, 60, 120);
    damage(directory);
    const { found, log } = await recover(far, directory);
    expect(found[0]).toEqual(['damaged', 0]);
    expect([...log.direct, ...log.orphaned]).toHaveLength(180);
    expect(new Set([...log.direct, ...log.orphaned]).size).toBe(180);
  });

  it('of which only the log of writes is left gives back what lies there', async () => {
    const far = newFar();
    far.link.isAway = true;
    const copy = temporaryDirectory();
    {
      await using of = await ShippingKit.start(far, temporaryDirectory(), ['process', 'first'], QUICK);
      for (let at = 0; at < 50; at += 1) await (of.sinks[1] as ShippingKit['sink']).deliver([message(`${at}`)]);
      copySpool(of.kit.directory, copy);
    }
    truncateSync(dbOf(copy), 0);
    const { log } = await recover(far, copy);
    expect(log.orphaned.toSorted()).toEqual(Array.from({ length: 50 }, (_, at) => `raw bytes of ${at}`).toSorted());
  });

  it('gives back records longer than a page, and those with objects with their objects', async () => {
    const far = newFar();
    far.link.isAway = true;
    const directory = temporaryDirectory();
    const long = randomBytes(20_000).toString('hex');
    const longer = randomBytes(80_000).toString('hex');
    const bytes = randomBytes(200_000);
    {
      await using of = await ShippingKit.start(far, directory, ['process', 'first'], QUICK);
      const sink = of.sinks[1] as ShippingKit['sink'];
      await sink.deliver([message('long', { raw: Buffer.from(long) })]);
      await sink.deliver([message('longer', { raw: Buffer.from(longer) })]);
      await sink.deliverMedia(attachment('photo', bytes));
      await sink.deliverMedia(attachment('lost', bytes));
    }
    const files = objectFiles(directory);
    expect(files).toHaveLength(3);
    tamper(directory, (db) => {
      const { hash } = db.prepare('SELECT hash FROM objects ORDER BY seq DESC').get() as { hash: string };
      rmSync(join(directory, 'objects', hash));
    });
    overwrite(directory, [0]);
    const { log } = await recover(far, directory);
    expect(log.orphaned.toSorted()).toEqual(['about lost', 'about photo', long, longer].toSorted());
    expect(log.gaps.toSorted()).toEqual(['object-unreadable', 'spool-doubtful', 'spool-doubtful']);
    // The object of the record, and those of the opaque records that hold more than a body takes.
    const uploaded = readdirSync(far.log.objects);
    expect(files.filter((name) => uploaded.includes(name))).toHaveLength(2);
  });

  it('is salvaged from the beginning after a crash in the middle, without anything twice', async () => {
    const far = newFar();
    const { directory } = await filled(far, 0, 300);
    overwrite(directory, [0]);
    const copy = temporaryDirectory();
    {
      // Dies with the first chunks recorded.
      await using of = await ShippingKit.start(far, directory, ['process', 'first'], { ...QUICK, ...LATER });
      await until('something is recorded again', () => (of.spool.streams().at(-1)?.headSeq ?? 0) > 70);
      copySpool(of.kit.directory, copy);
      for (const path of setAsideFiles(directory)) cpSync(path, join(copy, path.slice(directory.length)));
    }
    expect(setAsideFiles(copy)).toHaveLength(1);
    const { log } = await recover(far, copy);
    expect(log.orphaned).toHaveLength(300);
    expect(new Set(log.orphaned).size).toBe(300);
    expect(existsSync(join(copy, 'objects'))).toBe(true);
  });

  it('whose accounts nobody can tell, or are not configured, goes into the process’s own stream', async () => {
    const far = newFar();
    const { directory } = await filled(far, 0, 20);
    tamper(directory, (db) => db.exec('DELETE FROM streams; VACUUM'));
    overwrite(directory, [0]);
    const { log } = await recover(far, directory);
    expect(log.orphaned).toHaveLength(20);
    const own = [...far.log.streams.values()].filter(
      ({ records: [first] }) => first?.entry.t === 'open' && first.entry.role === 'process',
    );
    expect(
      own.flatMap(({ records }) => records.filter(({ entry }) => entry.t === 'content')).length,
    ).toBeGreaterThanOrEqual(20);
  });
});

describe('reading rows out of pages', () => {
  it('gives every row as SQLite does, whatever its length', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const random = new SeededRandom(3);
    for (let at = 0; at < 60; at += 1)
      await sink.deliver([message(`${at}`, { raw: random.bytes(random.below(at % 10 === 0 ? 60_000 : 3000)) })]);
    const copy = temporaryDirectory();
    copySpool(kit.directory, copy);
    const carved = new Map<string, string>();
    for await (const row of carveRows(dbOf(copy))) {
      const [, id, line, body] = row;
      if (row.length === 4 && Buffer.isBuffer(id) && typeof line === 'string')
        carved.set(line, `${id.toString('hex')} ${Buffer.isBuffer(body) ? body.toString('base64') : ''}`);
    }
    tamper(copy, (db) => {
      for (const { id, line, body } of db.prepare('SELECT * FROM records').all() as unknown as {
        id: Uint8Array;
        line: string;
        body: Uint8Array | null;
      }[]) {
        const is = `${Buffer.from(id).toString('hex')} ${body === null ? '' : Buffer.from(body).toString('base64')}`;
        expect(carved.get(line)).toBe(is);
      }
    });
    expect(carved.size).toBe(61);
  });

  it('survives any garbage', async () => {
    const random = new SeededRandom(11);
    const directory = temporaryDirectory();
    for (let round = 0; round < 30; round += 1) {
      const pages = random.bytes(PAGE_BYTES * 8);
      // Pages that claim to hold rows.
      for (let page = 0; page < 8; page += 1) pages[page * PAGE_BYTES] = 0x0d;
      pages[100] = 0x0d;
      writeFileSync(dbOf(directory), pages);
      writeFileSync(`${dbOf(directory)}-wal`, random.bytes(10_000));
      for await (const row of carveRows(dbOf(directory))) expect(Array.isArray(row)).toBe(true);
    }
  });
});

function patched(bytes: Buffer, at: number, patch: Buffer): Buffer {
  bytes.set(patch, at);
  return bytes;
}

function idOf(line: string): string {
  return entryId(line).toString('hex');
}

/** Page of the root of the tree of records, which holds no rows once there are more than one page of them. */
function rootOfRecords(directory: string): number {
  let page = 0;
  tamper(directory, (db) => {
    page = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'records'").get()?.['rootpage']);
  });
  return page - 1;
}
