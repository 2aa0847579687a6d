// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asAct, MAX_ACT_BYTES, MOST_SHOWN } from '../../src/access/act.ts';
import { Turn } from '../../src/access/turn.ts';
import { SqliteIndex } from '../../src/search/sqlite-index.ts';
import type { LoggedAct } from '../../src/search/acts-db.ts';
import { PAGE_BYTES } from '../../src/spool/schema.ts';
import { indexerOn } from '../search/archive-kit.ts';
import { ArchiveMaker } from '../support/archive-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { auditIn, Heard, looked, queriesOf } from './kit.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'holdfast-access-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const spoolOf = (): string => join(directory, 'reader-spool');

/** Carries what waits to the log, and reads it there with the reader key. */
async function logged(maker: ArchiveMaker, heard = new Heard()): Promise<LoggedAct[]> {
  {
    await using audit = auditIn(directory, { link: maker.link, heard, clock: () => maker.nowMs });
    await eventually(async () => {
      await maker.archiver.flush();
      return audit.waiting();
    }).toBe(0);
  }
  return indexed(maker);
}

async function indexed(maker: ArchiveMaker): Promise<LoggedAct[]> {
  await using db = SqliteIndex.openForWriting(join(directory, 'index'), { rebuild: true });
  await using indexer = await indexerOn(join(maker.directory, 'archive'), db);
  await indexer.catchUp();
  return [...db.acts.accessLog({ limit: 1000, after: null }).acts].toReversed();
}

async function archive(): Promise<ArchiveMaker> {
  const maker = new ArchiveMaker(join(directory, 'made'));
  await maker.start();
  return maker;
}

describe('a reader’s audit', () => {
  it('brings what was done into the log, sealed, with who did it, in order', async () => {
    await using maker = await archive();
    {
      await using audit = auditIn(directory, { user: 'ines' });
      await audit.record([{ act: 'login' }, looked('berth 14', [3, 4])]);
      await audit.record([looked('tug')], { user: 'omar', session: 'b'.repeat(32), via: 'web' });
    }
    const acts = await logged(maker);
    expect(acts.map(({ by, deed }) => [by.user, by.via, deed.act])).toEqual([
      ['ines', 'command', 'login'],
      ['ines', 'command', 'search'],
      ['omar', 'web', 'search'],
    ]);
    expect(acts[1]?.deed).toEqual(looked('berth 14', [3, 4]));
  });

  it('has it on the disk when it resolves, and nothing of it in clear', async () => {
    {
      await using audit = auditIn(directory);
      await audit.record([looked('a word nobody else would write')]);
    }
    const db = new DatabaseSync(join(spoolOf(), 'spool.db'));
    const rows = db.prepare('SELECT line FROM records WHERE line LIKE \'%"t":"access"%\'').all();
    const all = JSON.stringify(db.prepare('SELECT hex(body) AS body, line FROM records').all());
    db.close();
    expect(rows).toHaveLength(1);
    expect(all).not.toContain('nobody');
    expect(all).not.toContain(Buffer.from('nobody').toString('hex').toUpperCase());
  });

  it('rejects with its code where nothing can be written, so that nothing is shown', async () => {
    writeFileSync(spoolOf(), 'not a directory');
    await using audit = auditIn(directory);
    await expect(audit.record([looked('x')])).rejects.toMatchObject({ code: 'access/unrecorded' });
  });

  it('refuses what the reading side would not take for an act', async () => {
    await using audit = auditIn(directory);
    const tooMany = Array.from({ length: MOST_SHOWN + 1 }, (_, at) => at);
    await expect(audit.record([looked('x', tooMany)])).rejects.toMatchObject({ code: 'access/unrecorded' });
    await expect(audit.record([looked('x'.repeat(MAX_ACT_BYTES))])).rejects.toMatchObject({
      code: 'access/unrecorded',
    });
    expect(asAct({ v: 1, kind: 'act' })).toBeNull();
  });

  it('of several processes at once records everything, each in one stream of one reader', async () => {
    await using maker = await archive();
    const others = Array.from({ length: 6 }, (_, at) => auditIn(directory, { user: `user-${at}` }));
    await Promise.all(
      others.map(async (audit, at) => {
        await audit.record([{ act: 'login' }, looked(`first of ${at}`)]);
        await audit.record([looked(`second of ${at}`)]);
        await audit[Symbol.asyncDispose]();
      }),
    );
    const acts = await logged(maker);
    expect(queriesOf(acts).toSorted()).toEqual(
      others.flatMap((_, at) => [`first of ${at}`, `second of ${at}`]).toSorted(),
    );
  });

  it('lets others record while it carries, and goes on carrying', async () => {
    await using maker = await archive();
    await using carrier = auditIn(directory, { link: maker.link, clock: () => maker.nowMs });
    await carrier.record([looked('by the carrier')]);
    for (const at of [1, 2, 3]) {
      await using other = auditIn(directory);
      await other.record([looked(`beside it ${at}`)]);
    }
    await eventually(async () => {
      await maker.archiver.flush();
      return carrier.waiting();
    }).toBe(0);
    expect(queriesOf(await indexed(maker))).toHaveLength(4);
  });

  it('gives up after its time if another keeps the turn, and says so', async () => {
    using turn = await Turn.take(spoolOf());
    expect(turn.isWanted).toBe(false);
    await expect(Turn.take(spoolOf(), 100)).rejects.toMatchObject({ code: 'access/busy' });
  });

  it('is told of who waits', async () => {
    const turn = await Turn.take(spoolOf());
    const waiting = Turn.take(spoolOf());
    await eventually(() => turn.isWanted).toBe(true);
    turn[Symbol.dispose]();
    using next = await waiting;
    expect(next.isWanted).toBe(false);
  });
});

describe('a reader’s spool in doubt', () => {
  /** Destroys the first page: SQLite knows nothing of the database any more, its records are still there. */
  function damage(): void {
    const db = new DatabaseSync(join(spoolOf(), 'spool.db'));
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
    const file = readFileSync(join(spoolOf(), 'spool.db'));
    file.set(randomBytes(PAGE_BYTES), 0);
    writeFileSync(join(spoolOf(), 'spool.db'), file);
  }

  it('opens a new stream, and what was unsent comes into the log as what a reader may sign', async () => {
    await using maker = await archive();
    {
      await using audit = auditIn(directory);
      await audit.record([looked('before the damage'), looked('and this')]);
    }
    damage();
    const heard = new Heard();
    {
      await using audit = auditIn(directory, { heard });
      await audit.record([looked('after it')]);
    }
    expect(heard.doubts).toContainEqual(['damaged', 0]);
    const acts = await logged(maker, heard);
    expect(heard.codes.filter((code) => code.startsWith('refused'))).toEqual([]);
    expect(queriesOf(acts).toSorted()).toEqual(['after it', 'and this', 'before the damage']);
  });

  it('twice over still gives every act once', async () => {
    await using maker = await archive();
    for (const at of [1, 2, 3]) {
      await using audit = auditIn(directory);
      await audit.record([looked(`round ${at}`)]);
      await audit[Symbol.asyncDispose]();
      if (at < 3) damage();
    }
    const acts = await logged(maker);
    expect(queriesOf(acts).toSorted()).toEqual(['round 1', 'round 2', 'round 3']);
  });

  it('is one that was lost as well: the new stream says where the old one ended', async () => {
    await using maker = await archive();
    {
      await using audit = auditIn(directory);
      await audit.record([looked('archived')]);
    }
    expect(queriesOf(await logged(maker))).toEqual(['archived']);
    rmSync(spoolOf(), { recursive: true });
    maker.nowMs += 60_000;
    const heard = new Heard();
    {
      await using audit = auditIn(directory, { link: maker.link, heard, clock: () => maker.nowMs });
      await audit.record([looked('on a new disk')]);
    }
    expect(heard.opened).toContain('spool-lost');
    expect(queriesOf(await logged(maker)).toSorted()).toEqual(['archived', 'on a new disk']);
  });
});
