// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, renameSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { SCHEMA, SCHEMA_VERSION } from './schema.ts';

const FILE = 'spool.db';

export interface OpenedDatabase {
  readonly db: DatabaseSync;
  /** `new`: nothing was here. `damaged`: what was here failed SQLite's own check and was set aside. */
  readonly state: 'sound' | 'new' | 'damaged';
}

/**
 * Opens the spool's database: write-ahead log, every commit fsynced, one process only.
 * A database that fails its integrity check is kept under another name and a new one takes its place, which opens new streams.
 */
export function openDatabase(directory: string, nowMs: number): OpenedDatabase {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, FILE);
  if (!existsSync(path)) return { db: create(path), state: 'new' };
  const db = openSound(path);
  if (db !== null) return { db, state: 'sound' };
  for (const suffix of ['', '-wal']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, join(directory, `damaged-${nowMs}.db${suffix}`));
  }
  return { db: create(path), state: 'damaged' };
}

function create(path: string): DatabaseSync {
  const db = configure(new DatabaseSync(path));
  if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 0) db.exec(`BEGIN;${SCHEMA}COMMIT;`);
  return db;
}

/** Exclusive locking makes a second process on the same volume fail at once, which is the point. */
function configure(db: DatabaseSync): DatabaseSync {
  db.exec(
    'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;',
  );
  return db;
}

function openSound(path: string): DatabaseSync | null {
  let db: DatabaseSync | null = null;
  try {
    db = configure(new DatabaseSync(path));
    const check = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
    if (check === 'ok' && typeof version === 'number' && version > SCHEMA_VERSION) throw newerSpool(version);
    // A crash between creating the file and its first commit leaves an empty, sound database.
    if (check === 'ok' && version === 0) db.exec(`BEGIN;${SCHEMA}COMMIT;`);
    if (check === 'ok') return db;
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (isBusy(error))
      throw new Failure('spool/in-use', {
        expected: 'one process per spool',
        got: 'another holder',
        where: path,
        cause: error,
      });
  }
  db?.close();
  return null;
}

function isBusy(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === SQLITE_BUSY;
}

const SQLITE_BUSY = 5;

function newerSpool(version: number): Failure {
  return new Failure('spool/version', {
    expected: `a spool of version ${SCHEMA_VERSION} or older`,
    got: `version ${version}`,
    fix: 'run the newer Holdfast that wrote it',
  });
}
