// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { startRedis } from '../services/redis.ts';
import { Onlooker, RedisLinks, service } from './redis-subject.ts';
import { codeOfFailure, CONNECTOR, idOf, sendStubbornly, until } from './subject.ts';

describe('a queue in a Redis that', () => {
  it('is full refuses senders for now, drops nothing, and is emptied by those who take', async () => {
    await using redis = await startRedis({ maxmemory: '24mb' });
    const links = new RedisLinks(redis.port);
    await using uplink = links.uplink();
    const payload = 'x'.repeat(50_000);
    let sent = 0;
    let code = 'none';
    for (; code === 'none'; sent += 1) code = await codeOfFailure(uplink.send(idOf(sent), `${sent} ${payload}`));
    sent -= 1;
    expect(code).toBe('queue/full');
    expect(uplink.connected).toBe(true);
    let isOver = false;
    // Others go on knocking, so that it stays full.
    const knocking = Array.from({ length: 4 }, async (_, index) => {
      for (let id = 10_000 * (index + 1); !isOver; id += 1) await sendStubbornly(uplink, idOf(id), payload);
    });
    await using archiver = await service(links, { concurrency: 2 });
    const early = Array.from({ length: sent }, (_, id) => `${id} ${payload}`);
    await until('all that was sent is done', () => early.every((job) => archiver.done.has(job)));
    isOver = true;
    await Promise.all(knocking);
    expect(await codeOfFailure(uplink.send(idOf(sent), payload))).toBe('none');
    expect(links.broken).toEqual([]);
  });

  it('stays full lets everything pass but new jobs', async () => {
    await using redis = await startRedis();
    await using onlooker = new Onlooker(redis.port);
    const links = new RedisLinks(redis.port, { holdMs: 500 });
    await using uplink = links.uplink();
    const heard = new Set<string>();
    await uplink.listen((reply) => void heard.add(reply));
    for (let id = 0; id < 50; id += 1) await uplink.send(idOf(id), `job ${id}`);
    // A job whose holder died.
    await onlooker.redis.rpoplpush(`${links.redis.prefix}:jobs:wait`, `${links.redis.prefix}:jobs:active`);
    await onlooker.redis.config('SET', 'maxmemory', '1mb');
    expect(await codeOfFailure(uplink.send(idOf(50), 'one more'))).toBe('queue/full');
    await using downlink = links.downlink({ concurrency: 2 });
    const done = new Set<string>();
    let rejections = 0;
    await downlink.consume(async (job) => {
      if (job === 'job 7' && rejections < 3) {
        rejections += 1;
        throw new Error('not now');
      }
      await downlink.reply(CONNECTOR, job);
      done.add(job);
    });
    await until('all are done', () => done.size === 50);
    await until('all are answered', () => heard.size === 50);
    expect(await codeOfFailure(uplink.send(idOf(50), 'one more'))).toBe('queue/full');
    await onlooker.redis.config('SET', 'maxmemory', '0');
    await uplink.send(idOf(50), 'one more');
    await until('it is done too', () => done.size === 51);
  });
});
