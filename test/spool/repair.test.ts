// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, it } from 'vitest';
import { assertStream, readDisk, SEQ_SPAN, tamper, type StoredStream } from '../support/spool-disk.ts';
import { temporaryDirectory, until } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';
import { readLog } from '../support/recovered.ts';
import { newFar, ShippingKit, type Far } from '../support/shipping-kit.ts';

const QUICK = { times: { headsTimeoutMs: 20, doubtPauseMs: 0 } };
const LAST = 30;
const rid = (seq: number): number => SEQ_SPAN + seq;
const rawsOf = (seqs: number[]): string[] => seqs.map((seq) => `raw bytes of ${seq}`);
const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

/** A closed spool whose one stream holds its opening and records 1 to 30, none of them archived as far as it knows. */
async function filled(far: Far): Promise<string> {
  const directory = temporaryDirectory();
  far.link.isAway = true;
  await using of = await ShippingKit.start(far, directory, ['first'], QUICK);
  for (const seq of range(1, LAST)) await of.sink.deliver([message(`${seq}`)]);
  return directory;
}

/** Flips one bit of a value of a record. */
function flip(db: DatabaseSync, seq: number, column: 'line' | 'body' | 'id', at: number): void {
  const value = db.prepare(`SELECT CAST(${column} AS BLOB) AS value FROM records WHERE rid = ?`).get(rid(seq))?.[
    'value'
  ] as Uint8Array;
  const index = at < 0 ? value.length + at : at;
  value[index] = (value[index] as number) ^ 1;
  const cast = column === 'line' ? 'CAST(? AS TEXT)' : '?';
  db.prepare(`UPDATE records SET ${column} = ${cast} WHERE rid = ?`).run(value, rid(seq));
}

/** Changes one digit of a member of the line in a way that the grammar allows. */
function alter(db: DatabaseSync, seq: number, member: string): void {
  const { line } = db.prepare('SELECT line FROM records WHERE rid = ?').get(rid(seq)) as { line: string };
  const at = line.indexOf(`"${member}":"`) + member.length + 4;
  const digit = line[at] === '0' ? '1' : '0';
  db.prepare('UPDATE records SET line = ? WHERE rid = ?').run(line.slice(0, at) + digit + line.slice(at + 1), rid(seq));
}

const remove = (db: DatabaseSync, ...seqs: number[]): void => {
  for (const seq of seqs) db.prepare('DELETE FROM records WHERE rid = ?').run(rid(seq));
};

interface Repaired {
  readonly found: [string, number][];
  readonly opened: string[];
  readonly log: Awaited<ReturnType<typeof readLog>>;
  readonly streams: StoredStream[];
}

/** Starts the connector twice over the damaged spool, and lets it ship everything. */
async function recover(far: Far, directory: string): Promise<Repaired> {
  const found: [string, number][] = [];
  const opened: string[] = [];
  far.link.isAway = false;
  for (let start = 0; start < 2; start += 1) {
    await using of = await ShippingKit.start(far, directory, ['first'], { againAfterMs: 100 });
    await of.attachments.settled();
    await until('all is archived', () => of.spool.backlog() === 0);
    found.push(...of.kit.found);
    opened.push(...of.told.opened);
    expect(of.kit.fatal).toEqual([]);
    expect(far.log.violations).toEqual([]);
  }
  const streams = readDisk(directory, temporaryDirectory());
  return { found, opened, streams, log: await readLog(far.log) };
}

describe('rows that rotted', () => {
  let far: Far;
  let directory: string;

  beforeEach(async () => {
    far = newFar();
    directory = await filled(far);
  });

  it.each([
    ['a body', [7], (db: DatabaseSync) => flip(db, 7, 'body', 20)],
    ['the tag of a body', [7], (db: DatabaseSync) => flip(db, 7, 'body', -1)],
    ['a line, so that it breaks the grammar', [7], (db: DatabaseSync) => flip(db, 7, 'line', 0)],
    ['a line, so that it is well-formed', [7], (db: DatabaseSync) => alter(db, 7, 'com')],
    ['the link of a line', [7], (db: DatabaseSync) => alter(db, 7, 'prev')],
    ['an id', [7], (db: DatabaseSync) => flip(db, 7, 'id', 3)],
    ['a row that is gone', [7], (db: DatabaseSync) => remove(db, 7)],
    ['the first record', [1], (db: DatabaseSync) => flip(db, 1, 'body', 20)],
    ['the last record', [LAST], (db: DatabaseSync) => alter(db, LAST, 'tag')],
    ['the last rows, gone', [28, 29, LAST], (db: DatabaseSync) => remove(db, 28, 29, LAST)],
    [
      'a run of rows',
      [10, 11, 12],
      (db: DatabaseSync) => (flip(db, 10, 'body', 5), remove(db, 11), alter(db, 12, 'com')),
    ],
    ['several runs', [3, 9, 10, 20], (db: DatabaseSync) => (remove(db, 3, 9, 10), flip(db, 20, 'line', 40))],
    ['all records', range(1, LAST), (db: DatabaseSync) => remove(db, ...range(1, LAST))],
  ])('are replaced by holes over exactly them: %s', async (_name, lost, damage) => {
    tamper(directory, damage);
    const { found, log, opened, streams } = await recover(far, directory);
    expect(found).toEqual([['holes', lost.length]]);
    const kept = range(1, LAST).filter((seq) => !lost.includes(seq));
    expect(log.direct).toEqual(rawsOf(kept));
    const holes = log.holes.flatMap(([first, count]) => range(first, first + count - 1));
    expect(holes).toEqual(lost);
    expect(log.gaps).toEqual(['spool-doubtful']);
    expect(opened).toEqual(['first spool-doubtful']);
    const [old, fresh] = [...far.log.streams.values()];
    expect([old?.closed, old?.seq]).toEqual([true, LAST + 2]);
    expect(fresh?.records[0]?.entry).toMatchObject({ t: 'open', last: { seq: LAST + 1, id: old?.records.at(-1)?.id } });
    for (const stream of streams) assertStream(stream);
  });

  it('keep their bytes: what is left of a record is recorded as it is', async () => {
    tamper(directory, (db) => {
      alter(db, 7, 'tag');
      flip(db, 8, 'id', 0);
      remove(db, 9);
    });
    const { log } = await recover(far, directory);
    // Of the one only the id had rotted: it opens. The other's header is not what it was sealed with.
    expect(log.orphaned).toEqual(rawsOf([8]));
    expect(log.rotten).toBe(1);
    expect(log.holes).toEqual([[7, 3]]);
  });

  it('count as not recorded: what upstream brings again is taken', async () => {
    tamper(directory, (db) => remove(db, 7, 8));
    await using of = await ShippingKit.start(far, directory, ['first'], QUICK);
    const again = await of.sink.deliver([message('7'), message('9')]);
    expect(again.map(({ fresh }) => fresh)).toEqual([true, false]);
  });

  it('in the opening are put back from its copy; without a copy the stream goes into a new one', async () => {
    tamper(directory, (db) => alter(db, 0, 'key'));
    const first = await recover(far, directory);
    expect([first.found, first.log.direct, first.log.holes]).toEqual([[], rawsOf(range(1, LAST)), []]);
    const other = newFar();
    const second = await filled(other);
    tamper(second, (db) => {
      remove(db, 0);
      db.exec("UPDATE streams SET opening = replace(opening, 'signal', 'sygnal')");
    });
    const { found, log, opened } = await recover(other, second);
    expect([found, opened]).toEqual([[['stopped', 1]], ['first spool-doubtful']]);
    expect([log.direct, log.orphaned]).toEqual([[], rawsOf(range(1, LAST))]);
  });

  it('leave batches before them as they were fixed', async () => {
    const before = readDisk(directory, temporaryDirectory())[0]?.batches.map(({ text }) => text) ?? [];
    tamper(directory, (db) => remove(db, 5));
    {
      far.link.isAway = true;
      await using of = await ShippingKit.start(far, directory, ['first'], QUICK);
      expect(of.kit.found).toEqual([['holes', 1]]);
    }
    const after = readDisk(directory, temporaryDirectory())[0]?.batches.map(({ text }) => text) ?? [];
    expect(after.slice(0, 5)).toEqual(before.slice(0, 5));
    expect(after[5]).not.toBe(before[5]);
  });

  it('that the log has already leave no trace in it', async () => {
    // Everything was archived, and no receipt came back.
    far.log.withholds = true;
    far.link.isAway = false;
    {
      await using of = await ShippingKit.start(far, directory, ['first'], { againAfterMs: 100 });
      await until('all outstanding are in the log', () => (far.log.streams.values().next().value?.seq ?? 0) > 7);
      expect(of.spool.backlog()).toBe(LAST + 1);
    }
    const inLog = far.log.streams.values().next().value?.seq ?? 0;
    far.log.withholds = false;
    tamper(directory, (db) => remove(db, 3, 4));
    const { log } = await recover(far, directory);
    // The receipt is for a record behind the hole that this spool has: all before it counts as archived.
    expect(inLog).toBeGreaterThan(5);
    expect(log.holes).toEqual([]);
    expect(log.direct).toEqual(rawsOf(range(1, LAST)));
  });

  it('around the log’s head make the stream doubtful: the rest goes into a new one', async () => {
    far.log.withholds = true;
    far.link.isAway = false;
    {
      await using of = await ShippingKit.start(far, directory, ['first'], { againAfterMs: 100 });
      await until('all outstanding are in the log', () => (far.log.streams.values().next().value?.seq ?? 0) > 7);
      void of;
    }
    const head = (far.log.streams.values().next().value?.seq ?? 0) - 1;
    far.log.withholds = false;
    tamper(directory, (db) => remove(db, head - 1, head, head + 1));
    const { log } = await recover(far, directory);
    expect(log.direct).toEqual(rawsOf(range(1, head)));
    const behind = rawsOf(range(head + 2, LAST));
    expect(log.orphaned.filter((raw) => behind.includes(raw)).toSorted()).toEqual(behind.toSorted());
  });
});

describe('other parts of the spool that rotted', () => {
  it.each([
    [
      'a statement',
      'UPDATE batches SET statement = replace(statement, \'"gen"\', \'"gem"\') WHERE first = 4',
      [],
      'direct',
    ],
    [
      'a signature',
      'UPDATE batches SET statement = replace(statement, \'"sig":"\', \'"sig":"x\') WHERE first = 4',
      [],
      'direct',
    ],
    ['a boundary', 'UPDATE batches SET last = last + 1 WHERE first = 4', [], 'direct'],
    ['batches that are gone', 'DELETE FROM batches WHERE first IN (2, 3)', [], 'direct'],
    [
      'the head’s id',
      "UPDATE streams SET head_id = replace(head_id, substr(head_id, 1, 1), 'x')",
      [['stopped', 1]],
      'orphaned',
    ],
    ['the head’s number, lower', 'UPDATE streams SET head_seq = 20', [['stopped', 1]], 'orphaned'],
    ['the head’s number, higher', 'UPDATE streams SET head_seq = 50', [['holes', 20]], 'direct'],
    ['what is archived, higher', 'UPDATE streams SET archived_seq = 5', [['stopped', 1]], 'orphaned'],
    ['what is fixed', 'UPDATE streams SET fixed_seq = 3', [], 'direct'],
    ['what is fixed, beyond the head', 'UPDATE streams SET fixed_seq = 99', [['stopped', 1]], 'orphaned'],
    ['the stream’s id', "UPDATE streams SET stream = 'x' || stream", [['stopped', 1]], 'orphaned'],
    ['the account', "UPDATE streams SET acct = 'x' || acct", [['stopped', 1]], 'orphaned'],
    ['the generation', 'UPDATE streams SET gen = gen + 1', [['stopped', 1]], 'orphaned'],
    ['the generation, with the copy that would tell', "UPDATE streams SET gen = gen + 1, opening = ''", [], 'orphaned'],
    ['the state', "UPDATE streams SET state = 'opem'", [], 'orphaned'],
    ['the opening’s copy', "UPDATE streams SET opening = 'x'", [], 'direct'],
    ['single values', "UPDATE meta SET value = 'x' || value", [], 'direct'],
  ])('lose nothing and stop nothing: %s', async (_name, damage, expected, place) => {
    const far = newFar();
    const directory = await filled(far);
    tamper(directory, (db) => db.exec(damage));
    const { found, log } = await recover(far, directory);
    expect(found).toEqual(expected);
    expect(place === 'direct' ? log.direct : log.orphaned).toEqual(rawsOf(range(1, LAST)));
  });

  it('lose no records with an epoch’s document: they are kept for whoever finds it', async () => {
    const far = newFar();
    const directory = await filled(far);
    tamper(directory, (db) => db.exec("UPDATE epochs SET document = replace(document, 'ECDH', 'ECDX')"));
    const { found, log } = await recover(far, directory);
    expect(found).toEqual([['holes', LAST]]);
    expect([log.rotten, log.holes]).toEqual([LAST, [[1, LAST]]]);
  });
});
