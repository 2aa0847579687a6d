// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS } from '../../src/record/batch.ts';
import { MOST_OUTSTANDING, type FixedBatch } from '../../src/spool/batches.ts';
import type { SpoolStream } from '../../src/spool/streams.ts';
import { assertStream, readDisk, type StoredBatch } from '../support/spool-disk.ts';
import { SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';

interface Watched {
  readonly kit: SpoolKit;
  readonly sink: Awaited<ReturnType<SpoolKit['account']>>['sink'];
  readonly stream: SpoolStream;
  /** Sizes of the batches, as they were fixed. */
  readonly fixed: number[];
}

async function watched(kit: SpoolKit): Promise<Watched> {
  const fixed: number[] = [];
  kit.spool.onFixed((batches) => fixed.push(...batches.map(({ statement }) => statement.count)));
  return { kit, fixed, ...(await kit.account()) };
}

/** Marks everything that is fixed as archived, as a receipt would. */
async function archiveFixed({ kit, stream }: Watched): Promise<void> {
  await kit.spool.transact((unit) =>
    kit.spool.batches.archive(unit, stream, stream.fixedSeq, { leaf: stream.fixedSeq, nowMs: kit.nowMs }),
  );
}

function batchesOf({ directory }: SpoolKit): readonly StoredBatch[] {
  const [stored] = readDisk(directory, temporaryDirectory());
  if (stored === undefined) throw new Error('no stream');
  assertStream(stored);
  return stored.batches;
}

const burst = ({ sink }: Watched, count: number): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, at) => sink.deliver([message(`burst ${at}`)])));

describe('batches', () => {
  it('hold one record, fixed with its own commit, while the way is free', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const subject = await watched(kit);
    for (let at = 0; at < 5; at += 1) {
      await subject.sink.deliver([message(`${at}`)]);
      expect(subject.fixed).toHaveLength(at + 2);
      await archiveFixed(subject);
    }
    expect(subject.fixed).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('hold what one commit brought, while the way is free', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const subject = await watched(kit);
    await burst(subject, 64);
    expect(subject.fixed).toEqual([1, 64]);
  });

  it('gather while eight wait for their receipt, and go out large when there is room', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const subject = await watched(kit);
    for (let at = 0; at < 600; at += 1) await subject.sink.deliver([message(`${at}`)]);
    expect(subject.fixed).toEqual(Array.from({ length: MOST_OUTSTANDING }, () => 1));
    await archiveFixed(subject);
    expect(subject.fixed.slice(MOST_OUTSTANDING)).toEqual([MAX_BATCH_RECORDS, MAX_BATCH_RECORDS, 601 - 8 - 512]);
    expect(batchesOf(kit).at(-1)?.last).toBe(600);
  });

  it('are bounded in bytes, and one record that is alone too large is a batch by itself', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const subject = await watched(kit);
    for (let at = 0; at < MOST_OUTSTANDING - 1; at += 1) await subject.sink.deliver([message(`${at}`)]);
    const heavy = Array.from({ length: 24 }, (_, at) => message(`heavy ${at}`, { raw: randomBytes(30_000) }));
    await subject.sink.deliver(heavy);
    await archiveFixed(subject);
    const [stored] = readDisk(kit.directory, temporaryDirectory());
    const sizes = (stored?.batches ?? []).map(({ first, last }) =>
      (stored?.rows ?? [])
        .filter(({ seq }) => seq >= first && seq <= last)
        .reduce((sum, { line, body }) => sum + line.length + (body?.length ?? 0), 0),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_BATCH_BYTES);
    expect(subject.fixed.slice(MOST_OUTSTANDING).every((count) => count <= 8)).toBe(true);
    expect(subject.fixed.reduce((sum, count) => sum + count, 0)).toBe(MOST_OUTSTANDING + 24);
  });

  it('are never fixed in another way: restarts, late receipts and more records leave statements as they are', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    let subject = await watched(kit);
    await burst(subject, 30);
    for (let at = 0; at < 20; at += 1) await subject.sink.deliver([message(`${at}`)]);
    const before = batchesOf(kit).map(({ text }) => text);
    await kit.reopen();
    subject = await watched(kit);
    await kit.spool.fixWaiting();
    await subject.sink.deliver([message('one more')]);
    expect(batchesOf(kit).map(({ text }) => text)).toEqual(before);
    await kit.spool.transact((unit) =>
      kit.spool.batches.archive(unit, subject.stream, 31, { leaf: 31, nowMs: kit.nowMs }),
    );
    expect(
      batchesOf(kit)
        .map(({ text }) => text)
        .slice(0, before.length),
    ).toEqual(before);
  });

  it('behind a receipt that ends inside of one start again behind it', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const subject = await watched(kit);
    await burst(subject, 20);
    for (let at = 0; at < 5; at += 1) await subject.sink.deliver([message(`${at}`)]);
    await kit.spool.transact((unit) =>
      kit.spool.batches.archive(unit, subject.stream, 7, { leaf: 7, nowMs: kit.nowMs }),
    );
    const batches = batchesOf(kit);
    expect(batches.map(({ first, last, archived }) => [first, last, archived])).toEqual([
      [0, 0, true],
      [1, 7, true],
      [8, 25, false],
    ]);
    expect(subject.stream).toMatchObject({ archivedSeq: 7, fixedSeq: 25 });
  });

  it('of several streams are fixed each for itself', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const subject = await watched(kit);
    const { sink: other } = await kit.account('second');
    let announced: readonly FixedBatch[] = [];
    kit.spool.onFixed((batches) => (announced = batches));
    await Promise.all([subject.sink.deliver([message('a')]), other.deliver([message('b'), message('c')])]);
    expect(announced.map(({ stream, first, last }) => [stream.no, first, last])).toEqual([
      [1, 1, 1],
      [2, 1, 2],
    ]);
  });
});
