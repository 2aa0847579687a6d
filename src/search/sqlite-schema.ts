// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf, Failure } from '../base/failure.ts';
import { ACT_TABLES } from './sqlite-acts.ts';

/** Changes with every change of what is stored: an index of another version is built anew. */
export const INDEX_VERSION = 7;
const FILE = 'index.db';
const OTHERS_MAY = 0o077;
const CACHE_KIB = 65_536;

/*
 * line.id = second * 16384 + n, so that newest first is the order of row ids, a range of dates is a range of row ids, and the full-text
 * index stops after a page. Who, where and what a line is are words of the column `meta`, so that filters are intersected there too.
 * line.settled = 1 + leaf of the record that made it, 0 while others only speak of it; line.placed = leaf of the record that put it into its
 * second: in the order of those leaves lines stand within one.
 */
const SCHEMA = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE stream(stream TEXT PRIMARY KEY, acct TEXT NOT NULL, app TEXT NOT NULL, role TEXT NOT NULL, person INTEGER) WITHOUT ROWID;
CREATE TABLE person(id INTEGER PRIMARY KEY, app TEXT NOT NULL, root INTEGER NOT NULL);
CREATE INDEX person_root ON person(root);
CREATE TABLE alias(app TEXT, kind TEXT, value TEXT, person INTEGER NOT NULL, PRIMARY KEY(app, kind, value)) WITHOUT ROWID;
CREATE INDEX alias_person ON alias(person);
CREATE TABLE name(person INTEGER, at INTEGER, name TEXT, folded TEXT NOT NULL, PRIMARY KEY(person, at, name)) WITHOUT ROWID;
CREATE TABLE conversation(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, app TEXT NOT NULL, type TEXT NOT NULL, native TEXT, a INTEGER, b INTEGER);
CREATE INDEX conversation_a ON conversation(a);
CREATE INDEX conversation_b ON conversation(b);
CREATE TABLE title(conversation INTEGER, at INTEGER, name TEXT, folded TEXT NOT NULL, PRIMARY KEY(conversation, at, name)) WITHOUT ROWID;
CREATE TABLE member(conversation INTEGER, at INTEGER, leaf INTEGER, people TEXT NOT NULL, PRIMARY KEY(conversation, at, leaf)) WITHOUT ROWID;
CREATE TABLE record(leaf INTEGER PRIMARY KEY, id TEXT NOT NULL, stream TEXT NOT NULL, at INTEGER NOT NULL, account INTEGER, sender INTEGER, conversation INTEGER, defect TEXT, view TEXT, clear TEXT, objects TEXT);
CREATE TABLE awaited(leaf INTEGER PRIMARY KEY, segment INTEGER NOT NULL, kind TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE repack(hash TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE line(id INTEGER PRIMARY KEY, conversation INTEGER, author INTEGER, kind TEXT NOT NULL, at INTEGER NOT NULL, edited INTEGER NOT NULL, deleted INTEGER NOT NULL, copies INTEGER NOT NULL, settled INTEGER NOT NULL, placed INTEGER NOT NULL, leaf INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX line_conversation ON line(conversation, id);
CREATE TABLE named(name TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX named_line ON named(line);
CREATE TABLE part(line INTEGER, leaf INTEGER, PRIMARY KEY(line, leaf)) WITHOUT ROWID;
CREATE TABLE gap(leaf INTEGER PRIMARY KEY, id TEXT NOT NULL, acct TEXT NOT NULL, cause TEXT NOT NULL, scope TEXT NOT NULL, state TEXT NOT NULL, since INTEGER, until INTEGER, ref TEXT);
CREATE VIRTUAL TABLE words USING fts5(text, meta, content='', contentless_delete=1,
  tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co M* So Sk' tokenchars '_'");
`;

/** Throws `search/index-exposed`: plaintext lies only where nobody but its owner looks. */
export function prepareDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const mode = statSync(directory).mode & 0o777;
  if ((mode & OTHERS_MAY) === 0) return;
  throw new Failure('search/index-exposed', {
    expected: 'a directory of mode 0700: the index holds plaintext',
    got: `mode 0${mode.toString(8)}`,
    where: directory,
    fix: `chmod 700 ${directory}, and think about who may have read it`,
  });
}

/**
 * Opens the index for its one writer; what is no index of this version, or is to be built again, gives way to a new one. Nothing is
 * lost by that: it comes from the archive.
 */
export function openForWriting(directory: string, rebuild: boolean): DatabaseSync {
  prepareDirectory(directory);
  const path = join(directory, FILE);
  const lock = lockWriter(directory);
  let db = connect(path, false);
  if (rebuild || versionOf(db) !== INDEX_VERSION) {
    db.close();
    removeIndex(directory);
    db = connect(path, false);
    db.exec(`BEGIN;${SCHEMA}${ACT_TABLES}PRAGMA user_version = ${INDEX_VERSION};COMMIT;`);
  }
  chmodSync(path, 0o600);
  LOCKS.set(db, lock);
  return db;
}

/** The lock lives as long as the database it is for. */
const LOCKS = new WeakMap<DatabaseSync, DatabaseSync>();

export function closeIndex(db: DatabaseSync): void {
  db.close();
  LOCKS.get(db)?.close();
}

/** Opens it for a reading process, of which there may be any number. Throws `search/index-missing`. */
export function openForReading(directory: string): DatabaseSync {
  const path = join(directory, FILE);
  let db: DatabaseSync | null = null;
  try {
    if (statSync(path).isFile()) db = connect(path, true);
    if (db !== null && versionOf(db) === INDEX_VERSION) return db;
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw missing(directory, codeOf(cause), cause);
  }
  db?.close();
  throw missing(directory, 'an index of another version');
}

function removeIndex(directory: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(join(directory, FILE + suffix), { force: true });
}

function connect(path: string, readOnly: boolean): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly, timeout: 5000 });
  // A lost index is built again from the archive: it need not survive a power cut, only never be torn, and WAL sees to that.
  if (!readOnly) db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 268435456;`);
  return db;
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
}

function missing(directory: string, got: string, cause?: unknown): Failure {
  return new Failure('search/index-missing', {
    expected: 'an index',
    got,
    where: directory,
    fix: 'build it: `holdfast read --once`',
    cause,
  });
}

/** A database beside the index that one process keeps locked for as long as it lives; the system frees it when that ends. */
function lockWriter(directory: string): DatabaseSync {
  const lock = new DatabaseSync(join(directory, 'writer.lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 1; COMMIT;');
    return lock;
  } catch (cause) {
    lock.close();
    throw new Failure('search/index-in-use', {
      expected: 'to be the only process that writes this index',
      got: 'another one that does',
      where: directory,
      fix: 'let that one go on; `holdfast search` and `show` need no other',
      cause,
    });
  }
}
