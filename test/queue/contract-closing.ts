// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { codeOfFailure, CONNECTOR, gate, idOf, QUICK, Troubles, until, type OpenTransport } from './subject.ts';

export function closingRows(open: OpenTransport): void {
  it('lets jobs in work finish, answers of theirs included, and starts no other', async () => {
    const transport = open({ ...QUICK, concurrency: 1 }, new Troubles());
    await using uplink = transport.uplink();
    const heard: string[] = [];
    await uplink.listen((reply) => void heard.push(reply));
    const downlink = transport.downlink();
    const { passed, open: release } = gate();
    const taken: string[] = [];
    await downlink.consume(async (job) => {
      taken.push(job);
      await passed;
      await downlink.reply(CONNECTOR, `done ${job}`);
    });
    await uplink.send(idOf(1), 'one');
    await uplink.send(idOf(2), 'two');
    await until('it is in work', () => taken.length === 1);
    const closed = downlink[Symbol.asyncDispose]();
    await sleep(20);
    release();
    await closed;
    expect(taken).toEqual(['one']);
    await using next = transport.downlink();
    await next.consume(async (job) => void taken.push(`next ${job}`));
    await until('the next takes the rest', () => taken.length === 2);
    await sleep(50);
    expect(taken).toEqual(['one', 'next two']);
    await until('the answer arrives', () => heard.includes('done one'));
  });

  it('gives back what does not finish in time, in order', async () => {
    const transport = open({ ...QUICK, concurrency: 4, closeMs: 30 }, new Troubles());
    await using uplink = transport.uplink();
    const downlink = transport.downlink();
    const { passed, open: release } = gate();
    let started = 0;
    await downlink.consume(async () => {
      started += 1;
      await passed;
    });
    for (let index = 0; index < 8; index += 1) await uplink.send(idOf(index), `job ${index}`);
    await until('four are in work', () => started === 4);
    await downlink[Symbol.asyncDispose]();
    await using next = transport.downlink();
    const taken: string[] = [];
    await next.consume(async (job) => void taken.push(job));
    await until('all come again', () => taken.length === 8);
    // Their first consumer finishes after all: that changes nothing.
    release();
    await sleep(50);
    expect(taken).toEqual(Array.from({ length: 8 }, (_, index) => `job ${index}`));
  });

  it('refuses everything at an end that is closed', async () => {
    const transport = open(QUICK, new Troubles());
    const uplink = transport.uplink();
    const downlink = transport.downlink();
    await downlink.consume(async () => undefined);
    await until('both are connected', () => uplink.connected && downlink.connected);
    for (let times = 0; times < 2; times += 1) {
      await uplink[Symbol.asyncDispose]();
      await downlink[Symbol.asyncDispose]();
    }
    expect([uplink.connected, downlink.connected]).toEqual([false, false]);
    expect(await codeOfFailure(uplink.send(idOf(1), 'job'))).toBe('queue/closed');
    expect(await codeOfFailure(uplink.listen(() => undefined))).toBe('queue/closed');
    expect(await codeOfFailure(downlink.reply(CONNECTOR, 'reply'))).toBe('queue/closed');
    expect(await codeOfFailure(downlink.consume(async () => undefined))).toBe('queue/closed');
  });

  it('settles every send that is under way when its end closes', async () => {
    const transport = open(QUICK, new Troubles());
    const uplink = transport.uplink();
    const sends = Array.from({ length: 500 }, (_, index) => codeOfFailure(uplink.send(idOf(index), 'x'.repeat(1000))));
    await uplink[Symbol.asyncDispose]();
    const outcomes = new Set(await Promise.all(sends));
    expect([...outcomes].every((code) => code === 'none' || code === 'queue/closed')).toBe(true);
  });

  it('goes on when both ends are new', async () => {
    const transport = open(QUICK, new Troubles());
    const taken: string[] = [];
    const heard: string[] = [];
    for (let run = 0; run < 5; run += 1) {
      await using uplink = transport.uplink();
      await using downlink = transport.downlink();
      await uplink.listen((reply) => void heard.push(reply));
      await downlink.consume(async (job) => {
        taken.push(job);
        await downlink.reply(CONNECTOR, `to ${job}`);
      });
      await uplink.send(idOf(run), `job ${run}`);
      await until('it is answered', () => heard.length === run + 1);
    }
    expect(taken).toEqual(['job 0', 'job 1', 'job 2', 'job 3', 'job 4']);
  });
}
