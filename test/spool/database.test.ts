// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { setAsideFiles } from '../../src/spool/database.ts';
import { signingPair } from '../vectors/keys.ts';
import { noteKey } from '../../src/record/note.ts';
import { copySpool, tamper } from '../support/spool-disk.ts';
import { rejectionOf, SpoolKit, temporaryDirectory, until } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';

const dbOf = (directory: string): string => join(directory, 'spool.db');

/** A closed spool with some records. */
async function closedSpool(): Promise<string> {
  const kit = await SpoolKit.open(temporaryDirectory());
  await (await kit.account()).sink.deliver([message('a'), message('b')]);
  await kit[Symbol.asyncDispose]();
  return kit.directory;
}

describe('a spool’s directory', () => {
  it('is made with its parents, for its owner alone, and not even readers get in', async () => {
    const directory = join(temporaryDirectory(), 'deep', 'spool');
    await using kit = await SpoolKit.open(directory);
    expect(kit.spool.found).toBe('new');
    expect(kit.found).toEqual([['new', 0]]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const db = new DatabaseSync(dbOf(directory), { readOnly: true });
    expect(() => db.prepare('SELECT 1 FROM meta').get()).toThrow(/locked/);
    db.close();
  });

  it('admits one spool only: a second one in this process or another is refused and changes nothing', async () => {
    const directory = temporaryDirectory();
    await using kit = await SpoolKit.open(directory);
    const { sink } = await kit.account();
    await sink.deliver([message('a')]);
    const staging = join(directory, 'objects', 'staging-1-1');
    writeFileSync(staging, 'of the first one');
    expect(await rejectionOf(SpoolKit.open(directory))).toBe('spool/in-use');
    const other = spawn(process.execPath, ['--input-type=module', '-e', OPEN_ELSEWHERE, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    other.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('the other process ends', () => other.exitCode !== null);
    expect(said).toBe('spool/in-use');
    expect(existsSync(staging)).toBe(true);
    expect(setAsideFiles(directory)).toEqual([]);
    await sink.deliver([message('b')]);
  });

  it('is free again when the process that held it is gone', async () => {
    const directory = await closedSpool();
    const holder = new DatabaseSync(dbOf(directory));
    holder.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;');
    expect(await rejectionOf(SpoolKit.open(directory))).toBe('spool/in-use');
    holder.close();
    await using kit = await SpoolKit.open(directory);
    expect(kit.spool.found).toBe('sound');
  });

  it.each([
    ['another log', { origin: 'archive.example/other' }, 'spool/other-log'],
    ['another log key', { logKey: noteKey('archive.example/log', signingPair('other log').key) }, null],
    ['another deployment key', { deploymentKey: createSecretKey(randomBytes(32)) }, 'spool/other-deployment'],
    ['another host key', { hostKey: createSecretKey(randomBytes(32)) }, 'spool/session-unreadable'],
  ])('is refused to %s', async (_name, change, code) => {
    const directory = await closedSpool();
    const opened = SpoolKit.open(directory, change);
    expect(await rejectionOf(opened)).toBe(code);
    if (code === null) await (await opened)[Symbol.asyncDispose]();
    await using kit = await SpoolKit.open(directory);
    expect(kit.spool.found).toBe('sound');
  });

  it('of a newer version is left alone', async () => {
    const directory = await closedSpool();
    tamper(directory, (db) => db.exec('PRAGMA user_version = 2'));
    const before = readFileSync(dbOf(directory));
    expect(await rejectionOf(SpoolKit.open(directory))).toBe('spool/version');
    expect(readFileSync(dbOf(directory)).equals(before)).toBe(true);
    tamper(directory, (db) => db.exec('PRAGMA user_version = 1'));
    await using kit = await SpoolKit.open(directory);
    expect(kit.spool.found).toBe('sound');
  });
});

describe('a database', () => {
  it.each([
    ['garbage', (path: string) => writeFileSync(path, randomBytes(40_960))],
    ['zeros', (path: string) => writeFileSync(path, Buffer.alloc(40_960))],
    ['cut off', (path: string) => truncateSync(path, 10_000)],
    ['without its schema', (path: string) => tamper(dirname(path), (db) => db.exec('DROP TABLE gaps'))],
    ['that is a text', (path: string) => writeFileSync(path, 'not a database\n'.repeat(1000))],
  ])('%s is set aside whole, and a new one takes its place', async (_name, damage) => {
    const directory = await closedSpool();
    damage(dbOf(directory));
    const bytes = readFileSync(dbOf(directory));
    await using kit = await SpoolKit.open(directory);
    expect(kit.spool.found).toBe('damaged');
    const [aside] = setAsideFiles(directory);
    expect(readFileSync(aside ?? '').equals(bytes)).toBe(true);
    expect((await kit.account()).stream.headSeq).toBe(0);
  });

  it('that is empty, or that a crash left without tables, is a new one', async () => {
    const empty = temporaryDirectory();
    writeFileSync(dbOf(empty), '');
    await using first = await SpoolKit.open(empty);
    expect(first.spool.found).toBe('new');
    const bare = temporaryDirectory();
    tamper(bare, (db) => db.exec('PRAGMA journal_mode = WAL'));
    await using second = await SpoolKit.open(bare);
    expect(setAsideFiles(bare)).toEqual([]);
    await (await second.account()).sink.deliver([message('a')]);
  });

  it('whose file is gone or empty but whose log is not is set aside: SQLite would delete the log', async () => {
    for (const damage of [(path: string) => rmSync(path), (path: string) => truncateSync(path, 0)]) {
      const kit = await SpoolKit.open(temporaryDirectory());
      await (await kit.account()).sink.deliver([message('a')]);
      const copy = temporaryDirectory();
      for (const suffix of ['', '-wal']) writeFileSync(dbOf(copy) + suffix, readFileSync(dbOf(kit.directory) + suffix));
      await kit[Symbol.asyncDispose]();
      damage(dbOf(copy));
      const log = readFileSync(`${dbOf(copy)}-wal`);
      await using again = await SpoolKit.open(copy);
      expect(again.spool.found).toBe('damaged');
      expect(readFileSync(`${setAsideFiles(copy)[0]}-wal`).equals(log)).toBe(true);
    }
  });

  it('whose setting aside was interrupted is set aside whole after all', async () => {
    const kit = await SpoolKit.open(temporaryDirectory());
    await (await kit.account()).sink.deliver([message('a')]);
    const copy = temporaryDirectory();
    writeFileSync(join(copy, 'damaged-5.db'), readFileSync(dbOf(kit.directory)));
    writeFileSync(`${dbOf(copy)}-wal`, readFileSync(`${dbOf(kit.directory)}-wal`));
    await kit[Symbol.asyncDispose]();
    await using again = await SpoolKit.open(copy);
    expect(again.spool.found).toBe('damaged');
    expect(setAsideFiles(copy)).toEqual([join(copy, 'damaged-5.db')]);
    expect(existsSync(join(copy, 'damaged-5.db-wal'))).toBe(true);
  });

  it('that merely cannot be opened is not taken for damaged', async () => {
    const directory = await closedSpool();
    const path = dbOf(directory);
    renameSync(path, `${path}.kept`);
    mkdirSync(path);
    writeFileSync(join(path, 'x'), 'x');
    expect(await rejectionOf(SpoolKit.open(directory))).toBe('spool/unreadable');
    rmSync(path, { recursive: true });
    renameSync(`${path}.kept`, path);
    expect(setAsideFiles(directory)).toEqual([]);
    await using kit = await SpoolKit.open(directory);
    expect(kit.spool.found).toBe('sound');
    expect(readdirSync(directory).filter((name) => name.startsWith('damaged'))).toEqual([]);
  });
});

/** What a process does to the files of a directory, call by call, with their names. */
async function trace(directory: string): Promise<string[]> {
  const calls = join(temporaryDirectory(), 'calls');
  const shown = ['-f', '-b', 'execve', '-qq', '-y', '-e', 'signal=none', '-e', 'trace=fsync,rename,ftruncate,pwrite64'];
  const script = ['--input-type=module', '-e', OPEN_ELSEWHERE, directory];
  const child = spawn('strace', [...shown, '-o', calls, process.execPath, ...script], { stdio: 'ignore' });
  await until('the process ends', () => child.exitCode !== null);
  return readFileSync(calls, 'utf8').replaceAll(directory, '').split('\n');
}

describe('a log of writes that has lost frames', () => {
  it('is copied, and the copy is on the disk before anything is written over the log', async () => {
    const kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    for (const id of ['a', 'b', 'c', 'd']) await sink.deliver([message(id)]);
    const copy = temporaryDirectory();
    copySpool(kit.directory, copy);
    await kit[Symbol.asyncDispose]();
    const log = readFileSync(`${dbOf(copy)}-wal`);
    const middle = Math.floor(log.length / 2);
    log[middle] = (log[middle] as number) ^ 4;
    writeFileSync(`${dbOf(copy)}-wal`, log);
    writeFileSync(join(copy, 'damaged-3.db-wal.part'), 'of a start that was cut short');
    const calls = await trace(copy);
    const at = (call: RegExp): number => calls.findIndex((line) => call.test(line));
    const synced = at(/fsync\(.*\/damaged-0\.db-wal\.part/);
    const named = at(/rename\("\/damaged-0\.db-wal\.part", "\/damaged-0\.db-wal"/);
    const kept = calls.findIndex((line, no) => no > named && /fsync\(\d+<[^/]*>\)/.test(line));
    const written = at(/(?:ftruncate|pwrite64)\(\d+<\/spool\.db/);
    expect([synced, named, kept, written].toSorted((a, b) => a - b)).toEqual([synced, named, kept, written]);
    expect(synced).toBeGreaterThan(-1);
    expect(readFileSync(join(copy, 'damaged-0.db-wal')).equals(log)).toBe(true);
    expect(readdirSync(copy).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

const OPEN_ELSEWHERE = `
import { openDatabase } from ${JSON.stringify(new URL('../../src/spool/database.ts', import.meta.url).href)};
try {
  openDatabase(process.argv[1], 0);
  process.stdout.write('opened');
} catch (error) {
  process.stdout.write(error.code);
}
`;
