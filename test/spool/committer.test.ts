// SPDX-License-Identifier: AGPL-3.0-or-later
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../src/base/failure.ts';
import { Committer } from '../../src/spool/committer.ts';
import { rejectionOf, temporaryDirectory } from '../support/spool-kit.ts';

interface Subject {
  readonly db: DatabaseSync;
  readonly committer: Committer;
  readonly fatal: Failure[];
  readonly commits: number[];
  /** What another connection sees: what is committed. */
  readonly committed: () => number[];
}

function subject(beforeCommit: () => void = () => undefined): Subject {
  const path = join(temporaryDirectory(), 'test.db');
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t(n INTEGER PRIMARY KEY)');
  const fatal: Failure[] = [];
  const commits: number[] = [];
  const reader = new DatabaseSync(path, { readOnly: true });
  const committed = (): number[] =>
    (reader.prepare('SELECT n FROM t ORDER BY n').all() as { n: number }[]).map(({ n }) => n);
  const committer = new Committer(db, {
    beforeCommit,
    afterCommit: () => commits.push(committed().length),
    onFatal: (failure) => fatal.push(failure),
  });
  return { db, committer, fatal, commits, committed };
}

const insert = (db: DatabaseSync, n: number) => () => void db.prepare('INSERT INTO t VALUES (?)').run(n);

describe('group commit', () => {
  it('puts everything of one turn into one transaction, in the order of the calls', async () => {
    const { db, committer, commits, committed } = subject();
    const order: number[] = [];
    const run = (n: number): Promise<void> =>
      committer.run(() => {
        order.push(n);
        insert(db, n)();
      });
    await Promise.all([3, 1, 2].map(run));
    expect(order).toEqual([3, 1, 2]);
    expect(committed()).toEqual([1, 2, 3]);
    expect(commits).toEqual([3]);
  });

  it('tells nobody before the commit', async () => {
    let seenBefore: number[] = [];
    const { db, committer, committed } = subject(() => (seenBefore = [...told, ...committed()]));
    const told: number[] = [];
    await Promise.all(
      [1, 2].map(async (n) => {
        await committer.run(insert(db, n));
        told.push(n);
        expect(committed()).toEqual([1, 2]);
      }),
    );
    expect(seenBefore).toEqual([]);
    expect(told).toEqual([1, 2]);
  });

  it('ends everything where SQLite cannot read, and nothing for an error of the reader’s own', async () => {
    const { db, committer, fatal } = subject();
    const own = new RangeError('own');
    expect(() =>
      committer.read(() => {
        throw own;
      }),
    ).toThrow(own);
    expect(fatal).toEqual([]);
    expect(() => committer.read(() => db.prepare('SELECT n FROM nowhere').all())).toThrow(/^spool\/damaged/);
    expect(fatal.map(({ code, kind }) => [code, kind])).toEqual([['spool/damaged', 'fatal']]);
    expect(await rejectionOf(committer.run(insert(db, 1)))).toBe('spool/damaged');
  });

  it('rolls a unit that throws back alone, and undoes what it changed in memory, last change first', async () => {
    const { db, committer, committed, fatal } = subject();
    const memory: string[] = [];
    const failing = committer.run((unit) => {
      insert(db, 2)();
      for (const name of ['a', 'b']) {
        memory.push(name);
        unit.undo(() => expect(memory.pop()).toBe(name));
      }
      throw new TypeError('no');
    });
    const results = await Promise.allSettled([committer.run(insert(db, 1)), failing, committer.run(insert(db, 3))]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { name: 'TypeError' } });
    expect(memory).toEqual([]);
    expect(committed()).toEqual([1, 3]);
    expect(fatal).toEqual([]);
  });

  it('takes an error of SQLite itself for an unknown outcome: all of the group is refused and everything after', async () => {
    const { db, committer, committed, fatal } = subject();
    let undone = 0;
    const group = [
      committer.run((unit) => {
        insert(db, 1)();
        unit.undo(() => (undone += 1));
      }),
      committer.run((unit) => {
        unit.undo(() => (undone += 10));
        insert(db, 1)();
      }),
      committer.run(insert(db, 2)),
    ];
    const results = await Promise.all(group.map(rejectionOf));
    expect(results).toEqual(['spool/commit', 'spool/commit', 'spool/commit']);
    expect(fatal.map(({ code, kind }) => [code, kind])).toEqual([['spool/commit', 'fatal']]);
    expect(undone).toBe(10);
    expect(committed()).toEqual([]);
    expect(committer.hasEnded).toBe(true);
    expect(await rejectionOf(committer.run(insert(db, 3)))).toBe('spool/commit');
    expect(db.isTransaction).toBe(false);
    expect(committed()).toEqual([]);
  });

  it('refuses what waits for the next commit when one fails, and ends once', async () => {
    const { db, committer, fatal, committed } = subject(() => {
      throw new RangeError('a row that is not there');
    });
    const many = Array.from({ length: 1000 }, (_, n) => committer.run(insert(db, n)));
    const results = await Promise.all(many.map(rejectionOf));
    expect(new Set(results)).toEqual(new Set(['spool/commit']));
    expect(fatal).toHaveLength(1);
    expect(fatal[0]?.detail.got).toBe('RangeError');
    expect(committed()).toEqual([]);
  });

  it('commits what was handed in before it closes, and takes nothing after', async () => {
    const { db, committer, committed, fatal } = subject();
    const before = committer.run(insert(db, 1));
    const closed = committer.close();
    await before;
    await closed;
    expect(await rejectionOf(committer.run(insert(db, 2)))).toBe('spool/closed');
    expect(committed()).toEqual([1]);
    expect(fatal).toEqual([]);
  });

  it('ends at most once, whatever fails later', async () => {
    const { db, committer, fatal } = subject();
    const waiting = rejectionOf(committer.run(insert(db, 1)));
    const failure = { code: 'spool/damaged' } as Failure;
    committer.fail(failure);
    committer.fail({ code: 'spool/fenced' } as Failure);
    expect(await waiting).toBe('spool/damaged');
    expect(fatal).toEqual([failure]);
  });
});
