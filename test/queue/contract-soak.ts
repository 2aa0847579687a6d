// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Downlink } from '../../src/queue/link.ts';
import { dice, idOf, QUICK, sendStubbornly, Troubles, until, type OpenTransport } from './subject.ts';

const JOBS = 10_000;

export function soakRows(open: OpenTransport): void {
  it(`brings ${JOBS} jobs through, while consumers are ended at random and jobs are rejected at random`, async () => {
    const seed = 20_261_122;
    const random = dice(seed);
    const transport = open({ ...QUICK, concurrency: 16, closeMs: 0 }, new Troubles());
    const done = new Map<string, number>();
    let inWork = 0;
    const start = async (): Promise<Downlink> => {
      const downlink = transport.downlink();
      await downlink.consume(async (job) => {
        inWork += 1;
        const luck = random();
        try {
          if (luck < 0.3) await sleep(luck * 20);
          if (luck > 0.98) throw new Error('not now');
          done.set(job, (done.get(job) ?? 0) + 1);
        } finally {
          inWork -= 1;
        }
      });
      return downlink;
    };

    let consumers = await Promise.all([start(), start()]);
    let isOver = false;
    const killing = (async () => {
      for (let at = 0; !isOver;) {
        at += random() * 400;
        await until('it has come further', () => done.size >= at || isOver, 60_000);
        const victim = random() < 0.5 ? 0 : 1;
        await consumers[victim]?.[Symbol.asyncDispose]();
        consumers = [consumers[1 - victim] as Downlink, await start()];
      }
    })();
    await using uplink = transport.uplink();
    for (let first = 0; first < JOBS; first += 50) {
      const some = Array.from({ length: 50 }, (_, index) => first + index);
      await Promise.all(some.map((index) => sendStubbornly(uplink, idOf(index), `job ${index}`)));
    }
    await until('all are done', () => done.size === JOBS, 55_000);
    isOver = true;
    await killing;
    await Promise.all(consumers.map((consumer) => consumer[Symbol.asyncDispose]()));
    await until('nothing is in work', () => inWork === 0);
    const expected = new Set(Array.from({ length: JOBS }, (_, index) => `job ${index}`));
    expect([...done.keys()].filter((job) => !expected.has(job))).toEqual([]);
  }, 90_000);
}
