// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeDirectory, syncPath } from '../base/durable-file.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { hasLostFrames } from './write-log.ts';
import { PAGE_BYTES, SCHEMA, SCHEMA_VERSION } from './schema.ts';

const FILE = 'spool.db';
const WAL = '-wal';
const PIECE_BYTES = 1024 * 1024;
const HALF_COPY = /^damaged-\d+\.db-wal\.part$/;
const SET_ASIDE = /^damaged-\d+\.db(?:-wal)?$/;

export interface OpenedDatabase {
  readonly db: DatabaseSync;
  /** `new`: nothing was here. `damaged`: what was here failed SQLite's own check and was set aside. */
  readonly state: 'sound' | 'new' | 'damaged';
}

/**
 * Opens the spool's database: write-ahead log, every commit fsynced, one process only.
 * A database that fails its integrity check is kept under another name and a new one takes its place, which opens new streams.
 * Only damage does that: what merely cannot be opened (no space, no permission, no file handles) ends the start.
 */
export function openDatabase(directory: string, nowMs: number): OpenedDatabase {
  makeDirectory(directory);
  const path = join(directory, FILE);
  const wasHere = sizeOf(path) + sizeOf(path + WAL) > 0;
  // Frames that SQLite will not see hold records all the same; salvage finds those that are nowhere else.
  if (sizeOf(path) > 0 && hasLostFrames(path + WAL)) copyAside(directory, nowMs);
  // Without pages SQLite takes a log for a leftover and deletes it, with all that it holds.
  const db = sizeOf(path) > 0 ? openSound(path) : null;
  if (db !== null) return { db, state: 'sound' };
  if (wasHere) setAside(directory, nowMs);
  return { db: create(directory), state: wasHere || setAsideFiles(directory).length > 0 ? 'damaged' : 'new' };
}

/** Databases that were set aside and whose records are not all recorded again. */
export function setAsideFiles(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => SET_ASIDE.test(name));
  return [...new Set(names.map((name) => join(directory, name.replace(/-wal$/, ''))))].toSorted();
}

/** Kept for people to look at; nothing reads it again. */
export function finishSetAside(path: string): void {
  for (const suffix of [WAL, '']) {
    const to = path.replace(/damaged-(\d+\.db)$/, 'salvaged-$1') + suffix;
    if (existsSync(path + suffix)) renameSync(path + suffix, to);
  }
  syncPath(dirname(path));
}

/**
 * By way of another name, so that half a copy never counts. On the disk before this returns: SQLite writes over the original next, and what it
 * takes for no part of it is nowhere else.
 */
function copyAside(directory: string, nowMs: number): void {
  for (const name of readdirSync(directory)) if (HALF_COPY.test(name)) rmSync(join(directory, name));
  const to = join(directory, `damaged-${nowMs}.db${WAL}`);
  if (existsSync(to)) return;
  copyFileSync(join(directory, FILE + WAL), `${to}.part`);
  syncPath(`${to}.part`);
  renameSync(`${to}.part`, to);
  syncPath(directory);
}

/** The two renames are not one: a log that a crash left behind goes to the last file that has none. */
function setAside(directory: string, nowMs: number): void {
  const path = join(directory, FILE);
  const orphaned = existsSync(path) ? undefined : setAsideFiles(directory).findLast((to) => !existsSync(to + WAL));
  const to = orphaned ?? join(directory, `damaged-${nowMs}.db`);
  for (const suffix of ['', WAL]) if (existsSync(path + suffix)) renameSync(path + suffix, to + suffix);
  syncPath(directory);
}

function create(directory: string): DatabaseSync {
  const path = join(directory, FILE);
  let db: DatabaseSync | null = null;
  try {
    db = new DatabaseSync(path);
    // Only possible before the first table: gives pages back to the volume when records are pruned.
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL;`);
    configure(db);
    db.exec(`BEGIN;${SCHEMA}COMMIT;`);
    syncPath(directory);
    return db;
  } catch (error) {
    db?.close();
    throw unreadable(path, error);
  }
}

/** Exclusive locking makes a second process on the same volume fail at once, which is the point. */
function configure(db: DatabaseSync): void {
  db.exec(
    'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;' +
      // A commit now and then copies the log back, and all acknowledgements wait for it. Small and often: a long one is what the
      // slowest hundredth would wait for, and costs no less in all.
      'PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 1000;',
  );
}

/** Null if the database is damaged. */
function openSound(path: string): DatabaseSync | null {
  let db: DatabaseSync | null = null;
  try {
    db = new DatabaseSync(path);
    configure(db);
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > SCHEMA_VERSION) throw newerSpool(version);
    if (isSound(db)) {
      rewriteLog(db);
      return db;
    }
  } catch (error) {
    db?.close();
    if (error instanceof Failure) throw error;
    if (!isDamage(path, error)) throw unreadable(path, error);
    return null;
  }
  db.close();
  return null;
}

function isSound(db: DatabaseSync): boolean {
  if (db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] !== 'ok') return false;
  // A crash before the first commit leaves a file without tables.
  if (schemaOf(db) === '') db.exec(`BEGIN;${SCHEMA}COMMIT;`);
  return schemaOf(db) === expectedSchema();
}

/**
 * A commit whose fsync failed may lie in the log all the same, in memory but not on the disk. What is taken for committed from
 * here on is therefore written and synced once more.
 */
function rewriteLog(db: DatabaseSync): void {
  try {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (error) {
    // On a full volume the log stays as it is; nothing can be acknowledged before there is space.
    if (primaryCode(error) !== SQLITE_FULL) throw error;
  }
}

function schemaOf(db: DatabaseSync): string {
  const rows = db.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all() as { name: string; sql: string }[];
  return rows.map(({ name, sql }) => `${name} ${sql}`).join('\n');
}

function expectedSchema(): string {
  const model = new DatabaseSync(':memory:');
  model.exec(SCHEMA);
  const schema = schemaOf(model);
  model.close();
  return schema;
}

const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;
function primaryCode(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

function isDamage(path: string, error: unknown): boolean {
  const code = primaryCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB || (code === SQLITE_IOERR && hasBadSectors(path));
}

/** SQLite does not say why a read failed. */
function hasBadSectors(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let at = 0, read = 1; read > 0; at += read) read = readSync(file, piece, 0, PIECE_BYTES, at);
    return false;
  } catch (error) {
    return codeOf(error) === 'EIO';
  } finally {
    closeSync(file);
  }
}

function unreadable(path: string, cause: unknown): Failure {
  if (primaryCode(cause) === SQLITE_BUSY) {
    return new Failure('spool/in-use', {
      expected: 'one process per spool',
      got: 'another holder',
      where: path,
      fix: 'stop the other process; two must never share a spool',
      cause,
    });
  }
  return new Failure('spool/unreadable', {
    expected: 'a spool that can be opened',
    got: `${codeOf(cause)} ${primaryCode(cause)}`,
    where: path,
    fix: 'look at permissions, free space and the disk; nothing was changed',
    cause,
  });
}

function newerSpool(version: number): Failure {
  return new Failure('spool/version', {
    expected: `a spool of version ${SCHEMA_VERSION} or older`,
    got: `version ${version}`,
    fix: 'run the newer Holdfast that wrote it',
  });
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}
