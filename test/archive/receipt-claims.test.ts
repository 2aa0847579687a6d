// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, describe, expect, it } from 'vitest';
import { ArchiverKit, type Changes, type Running } from '../support/archiver-kit.ts';
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

describe('a claim that nobody signed', () => {
  const CLAIMS = [-1, -(2 ** 40), 1, 2, 3, 5, 17, 30, 31, 2 ** 31, 2 ** 53 - 1];

  it.each(CLAIMS)('since %d costs a receipt at most', async (since) => {
    const kit = new ArchiverKit();
    const run = await started(kit, SMALL_WINDOW);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    await kit.othersWrite(run, 4);
    const [batch] = stream.batches;
    if (batch === undefined) throw new Error('no batch');
    // Replayed by whoever can write to the queue, before and while the connector's own work goes on.
    await run.archiver.flush();
    await kit.link.send(kit.first.job(batch, { since, again: true }));
    kit.first.messages(stream, 1);
    await kit.first.sendAll();
    await kit.link.send(kit.first.job(batch, { since, again: true }));
    await run.archiver.flush();
    await kit.first.sendAll(true);
    await run.archiver.flush();
    expect(run.fatals).toEqual([]);
    expect(kit.backlog()).toBe(0);
    const alarm = since < 0 || since > run.archiver.state.size;
    expect(run.told.troubles).toEqual(
      alarm ? ['receipt archive/behind-receipt', 'receipt archive/behind-receipt'] : [],
    );
  });

  it('does not make the archiver read without bound', async () => {
    const kit = new ArchiverKit();
    const store = kit.store();
    const run = await started(kit, SMALL_WINDOW, store);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    await kit.othersWrite(run, 50);
    const [batch] = stream.batches;
    if (batch === undefined) throw new Error('no batch');
    const { size } = run.archiver.state;
    const before = store.calls.length;
    for (let since = 1; since <= size; since += 1) {
      await kit.link.send(kit.first.job(batch, { since, again: true }));
      await run.archiver.flush();
    }
    const calls = store.calls.length - before - size * 2;
    // Each proof anew would be about the square of this.
    expect(calls).toBeLessThan(size * 5);
    expect(run.fatals).toEqual([]);
  });

  it('that is true of a longer log raises an alarm, and no receipt is believed', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    const { last } = kit.first;
    if (last === null) throw new Error('no receipt');
    kit.first.last = { ...last, size: last.size + 1000 };
    kit.first.messages(stream, 1);
    kit.first.restart();
    await kit.first.sendAll();
    await run.archiver.flush();
    expect(run.told.troubles).toEqual(['receipt archive/behind-receipt']);
    expect(kit.first.badReceipts).toEqual(['format/receipt']);
    expect(kit.first.backlog()).toBe(1);
  });
});

describe('a read-back', () => {
  it('is told to each connector as far as its receipts go, once', async () => {
    const kit = new ArchiverKit();
    const run = await started(kit);
    const stream = kit.first.open();
    await kit.ship(run, stream);
    await kit.othersWrite(run, 1);
    kit.pass(DAY_MS);
    await run.archiver.readBack();
    await run.archiver.flush();
    const told = (sender: typeof kit.first): number[] =>
      sender.replies.flatMap((reply) => (reply.kind === 'readback' ? reply.leaves : []));
    expect([kit.first.readBack, kit.second.readBack]).toEqual([kit.first.since, kit.second.since]);
    await run.archiver.readBack();
    await run.archiver.flush();
    for (const sender of kit.senders) {
      expect(told(sender).at(-1)).toBe(sender.since);
      expect(told(sender)).toEqual([...new Set(told(sender))]);
    }
  });

  it('is told to a connector that comes later, with its receipt', async () => {
    const kit = new ArchiverKit();
    const first = await started(kit);
    const stream = kit.first.open();
    await kit.ship(first, stream);
    kit.pass(DAY_MS);
    const run = await started(kit);
    await run.archiver.readBack();
    const { readBackLeaves } = run.told;
    await kit.ship(run, stream);
    expect(kit.first.readBack).toBeGreaterThanOrEqual(readBackLeaves);
    expect(kit.first.readBack).toBeLessThan(run.archiver.state.size);
  });
});
