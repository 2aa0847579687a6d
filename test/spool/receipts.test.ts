// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { encodeJob } from '../../src/queue/job.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import type { Receipt } from '../../src/record/receipt.ts';
import { sha256 } from '../../src/record/hash.ts';
import { noteKey } from '../../src/record/note.ts';
import { ORIGIN, signingPair } from '../vectors/keys.ts';
import { CheckingLog } from '../support/checking-log.ts';
import { readDisk } from '../support/spool-disk.ts';
import { rejectionOf, SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { LOG_KEY, message } from '../support/spool-parts.ts';

type Subject = Awaited<ReturnType<typeof subject>>;

/** A spool with one account, and a log that has everything it fixed. */
async function subject(kit: SpoolKit, log: CheckingLog = new CheckingLog()) {
  log.withholds = true;
  const { sink, stream } = await kit.account();
  return { kit, log, sink, stream };
}

/** Hands the fixed batches to the log, without a shipper. */
function ship({ kit, log, stream }: Subject): void {
  for (const batch of kit.spool.batches.unarchived(stream, 0, 100)) {
    const content = kit.spool.outbox.content(batch);
    log.take(encodeJob({ kind: 'batch', statement: batch.statement, ...content, since: 0, again: false }));
  }
  expect(log.violations).toEqual([]);
}

async function deliverAndShip(of: Subject, id: string): Promise<Receipt> {
  await of.sink.deliver([message(id)]);
  ship(of);
  return of.log.receipt([of.stream.stream], of.kit.spool.receipts.since);
}

const archivedOnDisk = ({ kit }: Subject): number | undefined =>
  readDisk(kit.directory, temporaryDirectory())[0]?.archivedSeq;

describe('a receipt', () => {
  it('marks what it proves, durably', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    const outcome = await kit.spool.receipts.accept(await deliverAndShip(of, 'a'));
    expect(outcome).toEqual({ archived: [of.stream], doubtful: [] });
    expect([of.stream.archivedSeq, archivedOnDisk(of), kit.spool.receipts.since]).toEqual([1, 1, 2]);
    await kit.reopen();
    expect(kit.spool.receipts.since).toBe(2);
    expect(kit.spool.streams()[0]?.archivedSeq).toBe(1);
    expect(kit.spool.backlog()).toBe(0);
  });

  it('is refused without a valid proof, and then changes nothing', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    await kit.spool.receipts.accept(await deliverAndShip(of, 'a'));
    const good = await deliverAndShip(of, 'b');
    const [item] = good.items;
    if (item === undefined) throw new Error('no item');
    const { size } = of.log;
    const other = { origin: ORIGIN, size, root: sha256('another tree') };
    const stranger = signingPair('stranger').privateKey;
    const bad: Receipt[] = [
      { ...good, checkpoint: signCheckpoint(other, stranger) },
      { ...good, checkpoint: good.checkpoint.replace(`\n${size}\n`, `\n${size + 1}\n`) },
      { ...good, items: [{ ...item, leaf: item.leaf - 1 }] },
      { ...good, items: [{ ...item, id: sha256('x').toString('hex') }] },
      { ...good, items: [{ ...item, inclusion: item.inclusion.slice(1) }] },
      { ...good, items: [{ ...item, leaf: 7 }] },
      { ...good, items: [item, { ...item, seq: 1, id: sha256('x').toString('hex') }] },
      { ...good, since: 1 },
      { ...good, since: 0, consistency: [] },
      { ...good, consistency: [] },
      { ...good, consistency: good.consistency.map(() => sha256('x')) },
    ];
    for (const [at, receipt] of bad.entries()) {
      const code = await rejectionOf(kit.spool.receipts.accept(receipt));
      expect(code, `case ${at}`).toMatch(/^format\/(note-signature|proof|receipt|root)$/);
    }
    expect([of.stream.archivedSeq, archivedOnDisk(of), kit.spool.receipts.since]).toEqual([1, 1, 2]);
    await kit.spool.receipts.accept(good);
    expect(of.stream.archivedSeq).toBe(2);
  });

  it('by another log, for which the spool has no key, is refused', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory(), {
      logKey: noteKey(ORIGIN, signingPair('other log').key),
    });
    const of = await subject(kit);
    expect(await rejectionOf(kit.spool.receipts.accept(await deliverAndShip(of, 'a')))).toBe('format/note-signature');
  });

  it('of another root for the size accepted before is refused: two trees, one size', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    await kit.spool.receipts.accept(await deliverAndShip(of, 'a'));
    // The same log, but with something else in it at the same size.
    await using other = await SpoolKit.open(temporaryDirectory());
    const fork = await subject(other);
    const forked = await deliverAndShip(fork, 'other');
    expect(await rejectionOf(kit.spool.receipts.accept({ ...forked, items: [] }))).toBe('format/root');
  });

  it('may come twice', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    const receipt = await deliverAndShip(of, 'a');
    await kit.spool.receipts.accept(receipt);
    expect(await kit.spool.receipts.accept(receipt)).toEqual({ archived: [], doubtful: [] });
    expect(of.stream.archivedSeq).toBe(1);
  });

  it('that comes after a later one is refused, and the later one counts', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    const early = await deliverAndShip(of, 'a');
    const late = await deliverAndShip(of, 'b');
    await kit.spool.receipts.accept(late);
    expect(await rejectionOf(kit.spool.receipts.accept(early))).toBe('format/receipt');
    expect([of.stream.archivedSeq, kit.spool.receipts.since]).toEqual([2, 3]);
  });

  it('calls a stream doubtful of which the log has more, or other, than this spool', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    const receipt = await deliverAndShip(of, 'a');
    const { stream, seq } = receipt.items[0] as Receipt['items'][number];
    for (const claim of [seq + 1, seq - 1]) {
      const items = receipt.items.map((item) => ({ ...item, seq: claim }));
      const outcome = await kit.spool.receipts.accept({ ...receipt, items });
      expect(outcome).toEqual({ archived: [], doubtful: [stream] });
    }
    expect(of.stream.archivedSeq).toBe(-1);
    const unknown = receipt.items.map((item) => ({ ...item, stream: '0'.repeat(32) }));
    expect(await kit.spool.receipts.accept({ ...receipt, items: unknown })).toEqual({ archived: [], doubtful: [] });
    expect((await kit.spool.receipts.accept(receipt)).archived).toHaveLength(1);
  });

  it('makes a checkpoint under another key end the start: this is another log', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    await kit.spool.receipts.accept(await deliverAndShip(of, 'a'));
    await kit[Symbol.asyncDispose]();
    const logKey = noteKey(ORIGIN, signingPair('other log').key);
    expect(await rejectionOf(SpoolKit.open(kit.directory, { logKey }))).toBe('spool/other-log');
    await using again = await SpoolKit.open(kit.directory, { logKey: LOG_KEY });
    expect(again.spool.receipts.since).toBe(2);
  });
});

describe('the word that packs were read back', () => {
  it('is taken up to what receipts proved, only forward, and kept', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const of = await subject(kit);
    await kit.spool.receipts.acceptReadBack(5);
    expect(kit.spool.receipts.readBack).toBe(0);
    await kit.spool.receipts.accept(await deliverAndShip(of, 'a'));
    await kit.spool.receipts.acceptReadBack(1);
    expect(kit.spool.receipts.readBack).toBe(1);
    await kit.spool.receipts.acceptReadBack(1000);
    await kit.spool.receipts.acceptReadBack(1);
    await kit.spool.receipts.acceptReadBack(Number.NaN);
    await kit.reopen();
    expect(kit.spool.receipts.readBack).toBe(2);
  });
});
