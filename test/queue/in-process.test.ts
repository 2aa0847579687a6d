// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { InProcessLink } from '../../src/queue/in-process.ts';
import { linkContract } from './contract.ts';
import { codeOfFailure, CONNECTOR, gate, idOf, QUICK, until } from './subject.ts';

describe('a hand-over within one process', () => {
  linkContract((settings, events) => {
    const link = new InProcessLink({ ...settings, events });
    return { uplink: (connector = CONNECTOR) => link.uplink(connector), downlink: () => link.downlink() };
  });
});

describe('a hand-over within one process, as such,', () => {
  it('lets senders wait when there is no room, and in their order', async () => {
    const link = new InProcessLink({ ...QUICK, concurrency: 1, mostJobs: 4 });
    await using uplink = link.uplink(CONNECTOR);
    await using downlink = link.downlink();
    const sent: number[] = [];
    const sends = Array.from({ length: 10 }, async (_, index) => {
      await uplink.send(idOf(index), `job ${index}`);
      sent.push(index);
    });
    await sleep(20);
    expect(sent).toEqual([0, 1, 2, 3]);
    const taken: string[] = [];
    await downlink.consume(async (job) => void taken.push(job));
    await Promise.all(sends);
    await until('all are taken', () => taken.length === 10);
    expect(taken).toEqual(Array.from({ length: 10 }, (_, index) => `job ${index}`));
  });

  it('counts bytes, and lets one job in that alone is too large', async () => {
    const link = new InProcessLink({ ...QUICK, mostBytes: 100 });
    await using uplink = link.uplink(CONNECTOR);
    await uplink.send(idOf(1), 'x'.repeat(1000));
    let isSent = false;
    const second = uplink.send(idOf(2), 'y').then(() => (isSent = true));
    await sleep(20);
    expect(isSent).toBe(false);
    await using downlink = link.downlink();
    await downlink.consume(async () => undefined);
    expect(await second).toBe(true);
  });

  it('does not forget the room of jobs that were rejected', async () => {
    const link = new InProcessLink({ ...QUICK, mostJobs: 4, againAfterMs: [10_000, 10_000] });
    const uplink = link.uplink(CONNECTOR);
    await using downlink = link.downlink();
    let rejected = 0;
    await downlink.consume(async () => {
      rejected += 1;
      throw new Error('not now');
    });
    const sends = Array.from({ length: 10 }, (_, index) => codeOfFailure(uplink.send(idOf(index), 'job')));
    await until('those with room are rejected', () => rejected === 4);
    await sleep(20);
    expect(rejected).toBe(4);
    // Who waits for room hears of the end.
    await uplink[Symbol.asyncDispose]();
    expect((await Promise.all(sends)).filter((code) => code === 'queue/closed')).toHaveLength(6);
  });

  it('takes no job within the call that sends it', async () => {
    const link = new InProcessLink(QUICK);
    await using uplink = link.uplink(CONNECTOR);
    await using downlink = link.downlink();
    let isWithin = false;
    let wasWithin: boolean | null = null;
    await downlink.consume(async () => void (wasWithin = isWithin));
    isWithin = true;
    const sent = uplink.send(idOf(1), 'job');
    isWithin = false;
    await sent;
    await until('it is taken', () => wasWithin !== null);
    expect(wasWithin).toBe(false);
  });

  it('does not wait for ever for jobs in work when it closes', async () => {
    const link = new InProcessLink({ ...QUICK, closeMs: 20 });
    await using uplink = link.uplink(CONNECTOR);
    const { passed, open: release } = gate();
    const downlink = link.downlink();
    let isInWork = false;
    await downlink.consume(async () => {
      isInWork = true;
      await passed;
    });
    await uplink.send(idOf(1), 'job');
    await until('it is in work', () => isInWork);
    await downlink[Symbol.asyncDispose]();
    release();
  });
});
