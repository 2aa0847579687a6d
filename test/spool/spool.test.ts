// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assertStream, documentsOf, readDisk, type StoredStream } from '../support/spool-disk.ts';
import { Reader, rejectionOf, SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { gapCapture, message } from '../support/spool-parts.ts';

const diskOf = ({ directory }: SpoolKit): StoredStream[] => readDisk(directory, temporaryDirectory());

/** Memory and disk say the same of every stream. */
function expectAgreement(kit: SpoolKit): void {
  const disk = diskOf(kit);
  for (const stored of disk) assertStream(stored);
  const memory = kit.spool.streams().map(({ no, stream, headSeq, archivedSeq, fixedSeq, state }) => ({
    no,
    stream,
    headSeq,
    archivedSeq,
    fixedSeq,
    state,
  }));
  expect(disk.map(({ rows: _rows, batches: _batches, ...stored }) => stored)).toEqual(memory);
}

describe('a spool', () => {
  it('keeps what it acknowledged over a restart, readable with the reader’s key alone', async () => {
    const directory = temporaryDirectory();
    await using kit = await SpoolKit.open(directory);
    const { sink, stream } = await kit.account();
    const delivered = await sink.deliver([message('a'), message('b')]);
    expect(delivered.map(({ seq, fresh }) => [seq, fresh])).toEqual([
      [1, true],
      [2, true],
    ]);
    await kit.reopen();
    const [stored] = diskOf(kit);
    assertStream(stored as StoredStream);
    expect(kit.spool.currentStream(sink.acct)).toMatchObject({ stream: stream.stream, headSeq: 2 });
    expect(kit.spool.found).toBe('sound');
    const reader = new Reader(directory, documentsOf(directory, temporaryDirectory()));
    const raws = await Promise.all((stored?.rows ?? []).slice(1).map((row) => reader.raw(row)));
    expect(raws).toEqual(['raw bytes of a', 'raw bytes of b']);
  });

  it('goes on with the chain and another epoch after a restart', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    await sink.deliver([message('a')]);
    await kit.reopen();
    await (await kit.account()).sink.deliver([message('b')]);
    const [stored] = diskOf(kit);
    assertStream(stored as StoredStream);
    const epochs = (stored as StoredStream).rows.map(({ entry }) => ('epoch' in entry ? entry.epoch : ''));
    expect(new Set(epochs.slice(1)).size).toBe(2);
  });

  it('records captures in the order of the calls, however many each brings and however long one takes', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const long = message('long', { raw: randomBytes(200_000) });
    const calls = [
      sink.deliver([message('1'), message('2'), message('3')]),
      sink.deliver([message('4')]),
      sink.deliver([long]),
      sink.deliver([message('6')], [{ name: 'state', value: Buffer.from('older') }]),
      sink.deliver([message('7')], [{ name: 'state', value: Buffer.from('newer') }]),
    ];
    const delivered = (await Promise.all(calls)).flat();
    expect(delivered.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(sink.session('state')?.toString()).toBe('newer');
  });

  it('has memory and disk agree after a unit was rolled back: heads, epochs, intakes, streams', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink, stream } = await kit.account();
    const fail = (): never => {
      throw new TypeError('after all');
    };
    // The first unit of the group brings the epoch and an intake, and takes both back.
    const results = await Promise.allSettled([
      sink.deliverWith([message('a', { via: 'rest' })], { after: fail }),
      sink.deliver([message('b', { via: 'rest' })]),
      sink.deliverWith([message('c'), gapCapture()], { after: fail }),
      sink.deliver([message('d')]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
    expect(stream.headSeq).toBe(2);
    expectAgreement(kit);
    expect(sink.openGaps()).toEqual([]);
    expect(sink.has(message('a').native)).toBe(false);
    await kit.reopen();
    const again = await kit.account();
    expect(again.sink.sightings(0)).toMatchObject({ total: 2, byIntake: { rest: 1, webhook: 1 } });
    await again.sink.deliver([message('a')]);
    expectAgreement(kit);
  });

  it('forgets a stream whose opening was rolled back', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const other = kit.spool.account('signal', 'other', 'GRS-6.1-011');
    const opening = { acct: other.acct, app: 'signal', role: 'account', last: null, lastGen: 0 } as const;
    const failed = kit.spool.transact((unit) => {
      kit.spool.openStreamIn(unit, opening);
      throw new TypeError('after all');
    });
    const [code] = await Promise.all([rejectionOf(failed), sink.deliver([message('a')])]);
    expect(code).toBe('TypeError');
    expect(kit.spool.currentStream(other.acct)).toBeUndefined();
    expect(kit.fatal).toEqual([]);
    expectAgreement(kit);
    await kit.spool.openStream(opening);
    await other.deliver([message('b')]);
    expectAgreement(kit);
  });

  it('writes nothing ill-formed: a gap or a class that breaks the grammar is rejected alone', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    const classless = kit.spool.account('signal', 'first', 'no "class"');
    const results = await Promise.all([
      rejectionOf(sink.deliver([gapCapture({ count: -1 })])),
      rejectionOf(sink.deliver([gapCapture({ state: 'closed' })])),
      rejectionOf(classless.deliver([message('a')])),
      rejectionOf(sink.deliver([message('b')])),
    ]);
    expect(results).toEqual(['format/entry', 'format/entry-rule', 'format/entry', null]);
    expect(kit.fatal).toEqual([]);
    expectAgreement(kit);
  });

  it('refuses captures for an account without a stream', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const sink = kit.spool.account('signal', 'nobody', 'GRS-6.1-011');
    expect(await rejectionOf(sink.deliver([message('a')]))).toBe('spool/no-stream');
  });

  it('lists the heads of all open streams in a beat, in parts where they are many', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const self = await kit.account('process', 'holdfast');
    for (let number = 0; number < 30; number += 1) await kit.account(`account ${number}`);
    const { stream: closed } = await kit.account('closed');
    await kit.spool.closeStream(closed, 'retired');
    await kit.spool.beat(self.stream);
    const [process, ...others] = diskOf(kit);
    assertStream(process as StoredStream);
    const beats = (process?.rows ?? []).flatMap(({ entry }) => (entry.t === 'beat' ? [entry] : []));
    expect(beats.map(({ part }) => part)).toEqual([
      [1, 2],
      [2, 2],
    ]);
    const heads = beats.flatMap((beat) => beat.heads.map(([stream]) => stream));
    expect(heads).toEqual(heads.toSorted());
    const open = others.filter(({ state }) => state === 'open').map(({ stream }) => stream);
    expect(heads).toEqual(open.toSorted());
    expect(heads).toHaveLength(30);
  });

  it('says when a stream was last written, and nothing where the row is gone', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink, stream } = await kit.account();
    kit.nowMs += 90_500;
    await sink.deliver([message('a')]);
    expect(kit.spool.lastRecordAt(stream)).toBe(kit.nowMs - (kit.nowMs % 1000));
    expect(kit.spool.lastRecordAt({ ...stream, headSeq: 7 })).toBeNull();
  });
});
