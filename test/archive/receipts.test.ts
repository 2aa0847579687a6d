// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, describe, expect, it } from 'vitest';
import { ArchiverKit, OTHER_CLASS, type Changes, type Running } from '../support/archiver-kit.ts';
import type { SentBatch } from '../support/batch-sender.ts';
import { checkAll } from '../support/check-log.ts';
import type { StrictStore } from '../support/strict-store.ts';

const DAY_MS = 86_400_000;
/** So small that everything but the last flush is behind it. */
const SMALL_WINDOW: Changes = { windowLeaves: 8 };

let running: Running | null = null;
afterEach(async () => {
  await running?.archiver[Symbol.asyncDispose]();
  running = null;
});

async function started(kit: ArchiverKit, changes: Changes = {}, store: StrictStore = kit.store()): Promise<Running> {
  await running?.archiver[Symbol.asyncDispose]();
  running = await kit.start(changes, store);
  return running;
}

describe('receipts', () => {
  it('follow one another for connectors that take turns', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await started(kit);
    const [a, b, c] = [kit.first.open(), kit.first.open(), kit.second.open()];
    for (let round = 0; round < 12; round += 1) {
      if (round % 2 === 0) kit.first.messages(a, 1 + (round % 3));
      if (round % 3 === 0) kit.first.messages(b, 2, OTHER_CLASS);
      if (round % 4 > 0) kit.second.messages(c, 1);
      await Promise.all(kit.senders.map((sender) => sender.sendAll()));
      await archiver.flush();
    }
    checkAll(kit);
  });

  it('take several for more streams than one holds', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await started(kit);
    for (let count = 0; count < 150; count += 1) kit.first.open();
    await kit.first.sendAll();
    await archiver.flush();
    checkAll(kit);
    expect(kit.first.replies.filter(({ kind }) => kind === 'receipt').length).toBe(3);
  });

  it('are made again, from what the connector has, when one was lost', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    kit.link.losesReplies = true;
    await kit.ship(run, stream);
    await kit.othersWrite(run, 2);
    kit.link.losesReplies = false;
    expect(kit.first.backlog()).toBe(1);
    await kit.first.sendAll(true);
    await run.archiver.flush();
    await kit.second.sendAll(true);
    await run.archiver.flush();
    checkAll(kit);
  });

  it('follow what the connector has when the transport was away', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    kit.link.isAway = true;
    await kit.ship(run, stream);
    expect(run.told.troubles).toEqual(['reply Error']);
    kit.link.isAway = false;
    await kit.ship(run, stream);
    checkAll(kit);
  });

  it('follow what the connector said while one was on its way', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    let replies = 0;
    kit.link.beforeReply = async () => {
      await blocked;
      // The first of them is lost on its slow way.
      kit.link.losesReplies = replies === 0;
      replies += 1;
    };
    kit.first.messages(stream, 1);
    await kit.first.sendAll();
    const flushed = run.archiver.flush();
    await expect.poll(() => run.told.commits.length).toBe(3);
    // It has waited too long, and says again what it has.
    await kit.first.sendAll(true);
    release();
    await flushed;
    checkAll(kit);
    await kit.ship(run, stream);
    checkAll(kit);
  });

  it('do not go back for a batch that was sent before one arrived', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit);
    const stream = kit.first.open();
    const late = kit.first.job(kit.first.messages(stream, 1), { since: 0, again: true });
    await kit.first.send(stream.batches[0] as SentBatch);
    await run.archiver.flush();
    expect(kit.first.since).toBeGreaterThan(0);
    await kit.link.send(late);
    await run.archiver.flush();
    checkAll(kit);
  });

  it('survive restarts of either side', async () => {
    const kit = new ArchiverKit();
    const stream = kit.first.open();
    for (let round = 0; round < 6; round += 1) {
      const run = await started(kit, SMALL_WINDOW);
      if (round % 2 === 0) kit.first.restart();
      await kit.ship(run, stream);
      await kit.othersWrite(run, 1);
    }
    checkAll(kit);
  });

  it('do not hold up the next segment when a connector’s way is slow', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit);
    const stream = kit.first.open();
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    kit.link.beforeReply = () => blocked;
    await kit.first.sendAll();
    const sizes: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      await kit.first.send(kit.first.messages(stream, 1));
      void run.archiver.flush();
      await expect.poll(() => run.told.commits.length).toBe(round + 2);
      sizes.push(run.archiver.state.size);
    }
    release();
    await run.archiver.flush();
    expect(new Set(sizes).size).toBe(5);
    checkAll(kit);
    // One that was under way, and one for all that came meanwhile.
    expect(kit.first.checkpoints.length).toBe(2);
  });
});

describe('a connector that was away', () => {
  it.each([3, 9, 40])('gets a proof from its last receipt, %d flushes ago', async (flushes) => {
    const kit = new ArchiverKit();
    const run = await started(kit, SMALL_WINDOW);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    await kit.othersWrite(run, flushes);
    expect(run.archiver.state.window.base).toBeGreaterThan(kit.first.since);
    await kit.ship(run, stream);
    checkAll(kit);
  });

  it('gets the receipt of a stream that has ended long ago', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit, SMALL_WINDOW);
    const stream = kit.first.open();
    kit.first.add(stream, [{ t: 'content' }, { t: 'close' }]);
    kit.link.losesReplies = true;
    await kit.first.sendAll();
    await run.archiver.flush();
    kit.link.losesReplies = false;
    await kit.othersWrite(run, 20);
    const later = await started(kit, SMALL_WINDOW);
    kit.first.restart();
    await kit.first.sendAll();
    await later.archiver.flush();
    checkAll(kit);
  });

  it.each([true, false])('gets it behind a hole that only heads tell of, window small: %s', async (isSmall) => {
    const kit = new ArchiverKit();
    const changes = isSmall ? SMALL_WINDOW : {};
    const run = await started(kit, changes);
    const stream = kit.first.open();
    kit.first.add(stream, [{ t: 'content' }, { t: 'hole', count: 7 }]);
    kit.link.losesReplies = true;
    await kit.first.sendAll();
    await run.archiver.flush();
    kit.link.losesReplies = false;
    for (let day = 0; day < 4; day += 1) {
      kit.pass(DAY_MS);
      await run.archiver.readBack();
      await kit.othersWrite(run, 1);
    }
    const later = await started(kit, changes);
    expect(later.archiver.state.stream(stream.stream)?.leafId).toBe(null);
    kit.first.restart();
    await kit.first.sendAll();
    await later.archiver.flush();
    expect(kit.first.replies.filter(({ kind }) => kind === 'refused')).toEqual([]);
    checkAll(kit);
  });
});
