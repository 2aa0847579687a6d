// SPDX-License-Identifier: AGPL-3.0-or-later
import { hash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { dice, gate, idOf, QUICK, Troubles, until, type OpenTransport } from './subject.ts';

export function jobRows(open: OpenTransport): void {
  it('delivers every job once while nothing goes wrong', async () => {
    const transport = open(QUICK, new Troubles());
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    const taken: string[] = [];
    await downlink.consume(async (job) => void taken.push(job));
    const jobs = Array.from({ length: 200 }, (_, index) => `job ${index}`);
    await Promise.all(jobs.map((job, index) => uplink.send(idOf(index), job)));
    await until('all are taken', () => taken.length >= jobs.length);
    await sleep(50);
    expect(taken).toEqual(jobs);
  });

  it('starts jobs in the order of sending, although they overlap and take unequally long', async () => {
    const transport = open({ ...QUICK, concurrency: 5 }, new Troubles());
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    const random = dice(7);
    const started: string[] = [];
    let inWork = 0;
    let most = 0;
    await downlink.consume(async (job) => {
      started.push(job);
      inWork += 1;
      most = Math.max(most, inWork);
      await sleep(random() * 8);
      inWork -= 1;
    });
    const jobs = Array.from({ length: 300 }, (_, index) => `job ${index}`);
    const sends = jobs.map((job, index) => uplink.send(idOf(index), job));
    await Promise.all(sends);
    await until('all are started', () => started.length === jobs.length);
    expect(started).toEqual(jobs);
    expect(most).toBe(5);
  });

  it('takes a second job of the same name for the first while that waits, and while it is in work', async () => {
    const transport = open(QUICK, new Troubles());
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    const { passed, open: release } = gate();
    const taken: string[] = [];
    await uplink.send(idOf(1), 'first');
    await uplink.send(idOf(1), 'second');
    await downlink.consume(async (job) => {
      taken.push(job);
      await passed;
    });
    await until('it is in work', () => taken.length === 1);
    await uplink.send(idOf(1), 'third');
    await uplink.send(idOf(2), 'another');
    await until('the other is in work', () => taken.length === 2);
    release();
    expect(taken).toEqual(['first', 'another']);
  });

  it('frees a name when its job is done', async () => {
    const transport = open(QUICK, new Troubles());
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    let taken = 0;
    await downlink.consume(async () => void (taken += 1));
    for (let round = 1; round <= 5; round += 1) {
      // When it is free shows only in that it is taken again.
      await until('it is taken again', async () => {
        await uplink.send(idOf(1), 'again');
        return taken >= round;
      });
    }
  });

  it('delivers a rejected job again, however often, and others meanwhile', async () => {
    const troubles = new Troubles();
    const transport = open({ ...QUICK, concurrency: 2 }, troubles);
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    let rejections = 0;
    const taken: string[] = [];
    await downlink.consume((job) => {
      if (job === 'hard' && rejections < 12) {
        rejections += 1;
        // Not even a promise.
        if (rejections % 2 === 0) throw new TypeError('thrown');
        return Promise.reject(new Error('rejected'));
      }
      taken.push(job);
      return Promise.resolve();
    });
    await uplink.send(idOf(0), 'hard');
    await until('the first rejection', () => rejections > 0);
    await uplink.send(idOf(1), 'easy');
    await until('both are taken', () => taken.length === 2);
    expect(taken).toEqual(['easy', 'hard']);
    expect(rejections).toBe(12);
    expect(troubles.seen.filter((one) => one.startsWith('job'))).toHaveLength(12);
  });

  it('holds back while those who take wait', async () => {
    const transport = open({ ...QUICK, concurrency: 3 }, new Troubles());
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    const { passed, open: release } = gate();
    let started = 0;
    await downlink.consume(async () => {
      started += 1;
      await passed;
    });
    for (let index = 0; index < 20; index += 1) await uplink.send(idOf(index), 'job');
    await until('some are started', () => started === 3);
    await sleep(100);
    expect(started).toBe(3);
    release();
    await until('the rest follows', () => started === 20);
  });

  it('carries large jobs and any characters unchanged', async () => {
    const transport = open(QUICK, new Troubles());
    await using uplink = transport.uplink();
    await using downlink = transport.downlink();
    const jobs = [
      randomBytes(8 * 1024 * 1024).toString('base64'),
      'x'.repeat(1024 * 1024 + 1),
      '"\\\n\r\u0000\u2028',
      'grüße 漢字 🗝️',
      '',
    ];
    const taken: string[] = [];
    await downlink.consume(async (job) => void taken.push(hash('sha256', job)));
    await Promise.all(jobs.map((job, index) => uplink.send(idOf(index), job)));
    await until('all are taken', () => taken.length === jobs.length);
    expect(taken).toEqual(jobs.map((job) => hash('sha256', job)));
  });

  it('keeps jobs for whoever consumes later', async () => {
    const transport = open(QUICK, new Troubles());
    await using uplink = transport.uplink();
    for (let index = 0; index < 10; index += 1) await uplink.send(idOf(index), `job ${index}`);
    await using downlink = transport.downlink();
    const taken: string[] = [];
    await downlink.consume(async (job) => void taken.push(job));
    await until('all are taken', () => taken.length === 10);
    expect(taken[0]).toBe('job 0');
  });
}
