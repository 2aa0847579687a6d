// SPDX-License-Identifier: AGPL-3.0-or-later
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { setAsideFiles } from '../../src/spool/database.ts';
import { assertStream, objectFiles, readDisk, type StoredStream } from '../support/spool-disk.ts';
import { rejectionOf, SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { attachment, message } from '../support/spool-parts.ts';
import { SpoolProcess } from '../support/spool-process.ts';

const strace = (...inject: string[]): string[] => [
  'strace',
  '-f',
  '-qq',
  '-e',
  'signal=none',
  '-o',
  '/dev/null',
  '-e',
  `trace=${inject[0]?.split(':')[0]}`,
  ...inject.flatMap((rule) => ['-e', `inject=${rule}`]),
];

/** Every acknowledged capture is there once, where it was said to be; nothing is damaged, and capture goes on. */
async function expectWhole(directory: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  await using kit = await SpoolKit.open(directory);
  expect([kit.found, setAsideFiles(directory)]).toEqual([[], []]);
  const { sink } = await kit.account();
  const stored = readDisk(directory, temporaryDirectory())[0] as StoredStream;
  assertStream(stored);
  const places = new Map<string, number[]>();
  for (const { seq, entry } of stored.rows)
    if ('tag' in entry) places.set(entry.tag ?? '', [...(places.get(entry.tag ?? '') ?? []), seq]);
  for (const [id, seq] of acknowledged) expect(places.get(sink.tagOf(message(id).native)), id).toEqual([seq]);
  for (const seqs of places.values()) expect(seqs).toHaveLength(1);
  const newest = sink.session('newest')?.toString() ?? '';
  if (newest !== '') expect(places.has(sink.tagOf(message(newest).native))).toBe(true);
  expect((await sink.deliver([message('and on')]))[0]?.seq).toBe(stored.headSeq + 1);
}

/** The process said once that it must end, refused all that was in flight, and acknowledged nothing after. */
function expectEnd(child: SpoolProcess, said: string[]): void {
  expect(child.lines('fatal')).toEqual([['spool/commit']]);
  const end = said.findIndex((line) => line.startsWith('fatal'));
  expect(said.slice(end).filter((line) => line.startsWith('acknowledged'))).toEqual([]);
  const rejected = child.lines('rejected');
  expect(rejected.length).toBeGreaterThan(0);
  expect(rejected.length).toBeLessThanOrEqual(64);
  expect(new Set(rejected.map(([, code]) => code))).toEqual(new Set(['spool/commit']));
  expect(child.lines('done')).toEqual([[]]);
}

async function run(
  directory: string,
  under: readonly string[],
  count = 30_000,
): Promise<{ child: SpoolProcess; said: string[] }> {
  const child = new SpoolProcess(directory, { prefix: 'x', count, under });
  await child.ended();
  return { child, said: child.all() };
}

describe('a disk that fails', () => {
  it.each([
    ['is full from the 150th write on', 'pwrite64:error=ENOSPC:when=150+'],
    ['is full from the 2000th write on', 'pwrite64:error=ENOSPC:when=2000+'],
    ['is full for one write', 'pwrite64:error=ENOSPC:when=400'],
    ['cannot write once', 'pwrite64:error=EIO:when=500'],
    ['cannot write from then on', 'pwrite64:error=EIO:when=700+'],
    ['cannot sync once', 'fsync:error=EIO:when=10'],
    ['cannot sync from then on', 'fsync:error=EIO:when=40+'],
    ['is full when it should sync', 'fsync:error=ENOSPC:when=30'],
  ])(
    '%s: nothing more is acknowledged, the process ends, and the next start has all that was',
    async (_name, inject) => {
      const directory = temporaryDirectory();
      // Made before: what is tested is a spool at work, not its first start.
      await using first = await SpoolKit.open(directory);
      await first.account();
      await first[Symbol.asyncDispose]();
      const { child, said } = await run(directory, strace(inject));
      expectEnd(child, said);
      const acknowledged = child.acknowledged();
      expect(acknowledged.size).toBeGreaterThan(0);
      await expectWhole(directory, acknowledged);
    },
  );

  it('cannot sync when the log is copied back: what was acknowledged lies in the log, and is copied again', async () => {
    const directory = temporaryDirectory();
    await using first = await SpoolKit.open(directory);
    await first.account();
    await first[Symbol.asyncDispose]();
    // Nothing but copying back syncs the database itself, and the start does so once.
    const told = join(temporaryDirectory(), 'told');
    const under = strace('fsync:error=EIO:when=2..6').map((word) => (word === '/dev/null' ? told : word));
    const { child } = await run(directory, [...under, '-P', join(directory, 'spool.db')], 6000);
    expect(readFileSync(told, 'utf8').match(/INJECTED/g)).toHaveLength(5);
    expect(child.acknowledged().size).toBe(6000);
    await expectWhole(directory, child.acknowledged());
  });

  it('fails at the start: nothing is acknowledged, set aside or changed', async () => {
    const directory = temporaryDirectory();
    await using first = await SpoolKit.open(directory);
    const { sink } = await first.account();
    await sink.deliver([message('a')]);
    await first[Symbol.asyncDispose]();
    const before = readdirSync(directory).toSorted();
    for (const [inject, file] of [
      ['pwrite64:error=EIO:when=1+', 'spool.db-wal'],
      ['fsync:error=EIO:when=1+', 'spool.db-wal'],
      ['openat:error=EMFILE:when=1+', 'spool.db'],
      ['pread64:error=ENOMEM:when=1+', 'spool.db'],
    ] as const) {
      const { child } = await run(directory, [...strace(inject), '-P', join(directory, file)]);
      expect((await child.ended()) !== 0 || child.lines('fatal').length === 1, inject).toBe(true);
      expect(child.acknowledged().size).toBe(0);
      expect(setAsideFiles(directory)).toEqual([]);
    }
    expect(
      readdirSync(directory)
        .filter((name) => !name.startsWith('spool.db-'))
        .toSorted(),
    ).toEqual(before);
    await expectWhole(directory, new Map([['a', 1]]));
  });
});

describe('a disk with a bad sector', () => {
  it('has the database set aside, and only then', async () => {
    const directory = temporaryDirectory();
    await using first = await SpoolKit.open(directory);
    const { sink } = await first.account();
    await sink.deliver([message('a')]);
    await first[Symbol.asyncDispose]();
    const under = [...strace('pread64:error=EIO:when=1..2'), '-P', join(directory, 'spool.db')];
    const child = new SpoolProcess(directory, { prefix: 'x', count: 10, under });
    await child.ended();
    expect(child.lines('found')).toEqual([['damaged', '0']]);
    expect(child.acknowledged().size).toBe(10);
    expect(setAsideFiles(directory)).toHaveLength(1);
  });
});

// A full volume needs one to fill. Where none can be mounted, the errors that are injected above stand for it.
if (canMount()) {
  describe('a volume without space', volumeWithoutSpace);
}

function volumeWithoutSpace(): void {
  it('takes no more, loses nothing, and goes on when there is space again', async () => {
    const volume = smallVolume(12);
    const directory = join(volume.path, 'spool');
    await using first = await SpoolKit.open(directory);
    await first.account();
    await first[Symbol.asyncDispose]();
    const { child, said } = await run(directory, []);
    expectEnd(child, said);
    const acknowledged = child.acknowledged();
    expect(acknowledged.size).toBeGreaterThan(500);
    // Without space: it opens, or says that it cannot; it is never taken for damaged.
    const opened = await SpoolKit.open(directory).catch((error: unknown) => error as { code: string });
    if (opened instanceof SpoolKit) await opened[Symbol.asyncDispose]();
    else expect(opened.code).toMatch(/^spool\/(unreadable|commit)$/);
    expect(setAsideFiles(directory)).toEqual([]);
    volume.grow(200);
    await expectWhole(directory, acknowledged);
  });

  it('refuses an object it has no room for, for now, and still takes what is small', async () => {
    const volume = smallVolume(8);
    await using kit = await SpoolKit.open(join(volume.path, 'spool'));
    const { sink } = await kit.account();
    const large = randomBytes(20_000_000);
    expect(await rejectionOf(sink.deliverMedia(attachment('film', large)))).toBe('spool/full');
    expect(await rejectionOf(sink.deliver([message('long', { raw: large })]))).toBe('spool/full');
    expect(objectFiles(kit.directory)).toEqual([]);
    expect(kit.fatal).toEqual([]);
    expect((await sink.deliver([message('small')]))[0]?.fresh).toBe(true);
    volume.grow(200);
    expect(await sink.deliverMedia(attachment('film', large))).toMatchObject({ fresh: true });
  });
}

function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });
    execFileSync('umount', [path]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** A volume of its own of some MiB. */
function smallVolume(mebibytes: number): { path: string; grow: (to: number) => void } {
  const path = temporaryDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', path]);
    rmSync(path, { recursive: true, force: true });
  });
  return { path, grow: (to) => void execFileSync('mount', ['-o', `remount,size=${to}m`, path]) };
}
