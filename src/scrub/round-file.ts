// SPDX-License-Identifier: AGPL-3.0-or-later
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { codeOf, Failure } from '../base/failure.ts';
import type { NamedObject } from '../verify/payloads.ts';

/** Something that is held against the archive, as a round found it. */
export interface RoundFinding {
  readonly code: string;
  readonly severity: 'finding' | 'unchecked';
  readonly key: string;
  readonly expected: string;
  readonly got: string;
}

/** Where a round stands. */
export interface RoundState {
  readonly from: string;
  /** Leaves of the log; 0 as long as it was not read through. */
  readonly size: number;
  /** Packs and objects to read, those read, and their bytes. */
  readonly objects: number;
  readonly bytes: number;
  readonly readObjects: number;
  readonly readBytes: number;
  readonly findings: number;
  readonly finishedAt: string | null;
}

/** An object of the plan that was not read yet. */
export interface PlannedObject extends NamedObject {
  readonly n: number;
}

const TABLES = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE object(n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, version TEXT NOT NULL, hash TEXT NOT NULL, size INTEGER NOT NULL, leaf INTEGER NOT NULL, mode TEXT, until INTEGER, read INTEGER NOT NULL DEFAULT 0);
CREATE TABLE finding(code TEXT NOT NULL, severity TEXT NOT NULL, key TEXT NOT NULL, expected TEXT NOT NULL, got TEXT NOT NULL, PRIMARY KEY(code, key, got)) WITHOUT ROWID;
`;
const FILE = 'round.db';
const SQLITE_BUSY = 5;
const AT_ONCE = 500;

/**
 * One round, on the disk: what there is to read, what was read, what was found. A finding is there before it is told; what was read is
 * written down in batches, so a killed round reads a few objects again and leaves none out. One process has it at a time.
 */
export class RoundFile implements Disposable {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Throws `scrub/in-use`, `scrub/other-archive`. A round that was finished, or whose plan was not, gives way to a new one. */
  static open(directory: string, archive: string, now: () => string): RoundFile {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const file = new RoundFile(opened(join(directory, FILE)));
    const known = file.#meta('archive');
    if (known !== null && known !== archive) {
      file[Symbol.dispose]();
      throw new Failure('scrub/other-archive', {
        expected: 'the state of rounds over the archive of the config',
        got: 'that of another one',
        where: directory,
        fix: 'give each archive a state directory of its own',
      });
    }
    if (file.#meta('planned') === null || file.#meta('finished') !== null) file.#begin(archive, now());
    return file;
  }

  #begin(archive: string, now: string): void {
    this.#db.exec('DELETE FROM object; DELETE FROM finding; DELETE FROM meta;');
    this.#set('archive', archive);
    this.#set('from', now);
  }

  get isPlanned(): boolean {
    return this.#meta('planned') !== null;
  }

  get state(): RoundState {
    const count = (read: number): { n: number; bytes: number } => {
      const row = this.#db
        .prepare('SELECT count(*) AS n, coalesce(sum(size), 0) AS bytes FROM object WHERE read >= ?')
        .get(read);
      return { n: Number(row?.['n']), bytes: Number(row?.['bytes']) };
    };
    const [all, read] = [count(0), count(1)];
    return {
      from: this.#meta('from') ?? '',
      size: Number(this.#meta('size') ?? 0),
      objects: all.n,
      bytes: all.bytes,
      readObjects: read.n,
      readBytes: read.bytes,
      findings: this.findings().filter(({ severity }) => severity === 'finding').length,
      finishedAt: this.#meta('finished'),
    };
  }

  /** What the log names, from one reading of it. Counts only once {@link planned} was called: until then a new start plans anew. */
  plan(objects: readonly NamedObject[]): void {
    const add = this.#db.prepare(
      `INSERT INTO object(key, kind, version, hash, size, leaf, mode, until) VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET
       mode = CASE WHEN excluded.mode = 'COMPLIANCE' THEN excluded.mode ELSE mode END, until = max(until, excluded.until)`,
    );
    this.#together(() => {
      for (const { key, kind, version, hash, size, leaf, lock } of objects) {
        add.run(key, kind, version, hash, size, leaf, lock?.mode ?? null, lock?.untilMs ?? null);
      }
    });
  }

  planned(size: number): void {
    this.#together(() => {
      this.#set('size', String(size));
      this.#set('planned', 'yes');
    });
  }

  /** Those that come next, in the order of the log. */
  next(after: number): PlannedObject[] {
    const rows = this.#db
      .prepare('SELECT * FROM object WHERE read = 0 AND n > ? ORDER BY n LIMIT ?')
      .all(after, AT_ONCE);
    return rows.map(plannedObject);
  }

  /** They were read to the end, whatever was found. */
  read(objects: readonly PlannedObject[]): void {
    const mark = this.#db.prepare('UPDATE object SET read = 1 WHERE n = ?');
    this.#together(() => {
      for (const { n } of objects) mark.run(n);
    });
  }

  /** Durable when it returns. False if it was known. */
  found({ code, severity, key, expected, got }: RoundFinding): boolean {
    const add = this.#db.prepare('INSERT OR IGNORE INTO finding VALUES(?, ?, ?, ?, ?)');
    return Number(add.run(code, severity, key, expected, got).changes) > 0;
  }

  findings(): RoundFinding[] {
    const rows = this.#db.prepare('SELECT code, severity, key, expected, got FROM finding ORDER BY code, key').all();
    return rows.map((row) => ({ ...row }) as unknown as RoundFinding);
  }

  /** What could not be read before is tried again. */
  forgetUnread(): void {
    this.#db.exec("DELETE FROM finding WHERE code = 'verify/reader-failed'");
  }

  finish(now: string): void {
    this.#set('finished', now);
  }

  #together(work: () => void): void {
    this.#db.exec('BEGIN');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #meta(name: string): string | null {
    const row = this.#db.prepare('SELECT value FROM meta WHERE name = ?').get(name);
    return row === undefined ? null : String(row['value']);
  }

  #set(name: string, value: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO meta VALUES(?, ?)').run(name, value);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

/** Locked for as long as the process lives, however it ends. */
function opened(path: string): DatabaseSync {
  for (let tries = 0; ; tries += 1) {
    const db = new DatabaseSync(path, { timeout: 0 });
    try {
      db.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT;',
      );
      const has = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'finding'").get() !== undefined;
      if (!has) db.exec(`BEGIN;${TABLES}COMMIT;`);
      return db;
    } catch (error) {
      db.close();
      if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) throw inUse(path, error);
      // Derived from the archive: what a broken disk left of it is made again, from the beginning of the round.
      if (tries > 0) throw error;
      for (const name of [path, `${path}-journal`]) rmSync(name, { force: true });
    }
  }
}

function inUse(where: string, cause: unknown): Failure {
  return new Failure('scrub/in-use', {
    expected: 'a round that no other process works on',
    got: codeOf(cause),
    where,
    fix: 'let that one go on; a second one would read everything twice',
    cause,
  });
}

function plannedObject(row: Record<string, SQLOutputValue>): PlannedObject {
  const { n, key, kind, version, hash, size, leaf, mode, until } = row;
  return {
    n: Number(n),
    key: String(key),
    kind: kind === 'pack' ? 'pack' : 'object',
    version: String(version),
    hash: String(hash),
    size: Number(size),
    leaf: Number(leaf),
    lock: mode === null ? null : { mode: mode === 'COMPLIANCE' ? 'COMPLIANCE' : 'GOVERNANCE', untilMs: Number(until) },
  };
}
