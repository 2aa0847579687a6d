// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startRedis } from '../services/redis.ts';
import { Onlooker, RedisLinks, service } from './redis-subject.ts';
import { openWay } from './silent-way.ts';
import { codeOfFailure, idOf, sendStubbornly, until } from './subject.ts';

describe('a queue in a Redis that', () => {
  it('is no longer reached on old connections, without a word, is reached on new ones', async () => {
    await using redis = await startRedis();
    await using way = await openWay(redis.port);
    const links = new RedisLinks(way.port, { timeoutMs: 500, holdMs: 1000 });
    await using _ = await service(links);
    await using uplink = links.uplink();
    const heard = new Set<string>();
    await uplink.listen((reply) => void heard.add(reply));
    await uplink.send(idOf(0), 'job 0');
    await until('it runs', () => heard.size === 1);
    way.fallSilent();
    expect(await codeOfFailure(uplink.send(idOf(1), 'job 1'))).toBe('queue/unreachable');
    expect(uplink.connected).toBe(false);
    for (let index = 1; index <= 20; index += 1) await sendStubbornly(uplink, idOf(index), `job ${index}`);
    // Replies on their way when it fell silent are lost; who needs one asks again.
    await until('all are answered', async () => {
      const missing = Array.from({ length: 21 }, (__, index) => index).filter((index) => !heard.has(`job ${index}`));
      await Promise.all(missing.map((index) => sendStubbornly(uplink, idOf(index), `job ${index}`)));
      await sleep(200);
      return missing.length === 0;
    });
    expect(uplink.connected).toBe(true);
  });

  it('stands still for seconds makes senders fail in time, and goes on after', async () => {
    await using redis = await startRedis();
    await using onlooker = new Onlooker(redis.port);
    const processId = Number(/process_id:(\d+)/.exec(await onlooker.redis.info('server'))?.[1]);
    const links = new RedisLinks(redis.port, { timeoutMs: 1000, holdMs: 3000 });
    await using _ = await service(links);
    await using uplink = links.uplink();
    const heard = new Set<string>();
    await uplink.listen((reply) => void heard.add(reply));
    await uplink.send(idOf(0), 'job 0');
    await until('it runs', () => heard.size === 1);
    process.kill(processId, 'SIGSTOP');
    try {
      for (let index = 1; index <= 3; index += 1) {
        expect(await codeOfFailure(uplink.send(idOf(index), `job ${index}`))).toBe('queue/unreachable');
      }
      expect(uplink.connected).toBe(false);
      await sleep(4000);
    } finally {
      process.kill(processId, 'SIGCONT');
    }
    for (let index = 1; index <= 300; index += 1) await sendStubbornly(uplink, idOf(index), `job ${index}`);
    await until('all are answered', () => heard.size === 301);
    expect(links.broken).toEqual([]);
  });

  it('cuts connections again and again loses nothing', async () => {
    await using redis = await startRedis();
    await using onlooker = new Onlooker(redis.port);
    const links = new RedisLinks(redis.port, { holdMs: 1500 });
    await using archiver = await service(links);
    await using uplink = links.uplink();
    const heard = new Set<string>();
    await uplink.listen((reply) => void heard.add(reply));
    let isOver = false;
    const cutting = (async () => {
      for (let times = 0; times < 15; times += 1) {
        await sleep(150);
        await onlooker.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      }
      isOver = true;
    })();
    let sent = 0;
    for (; !isOver; sent += 1) await sendStubbornly(uplink, idOf(sent), `job ${sent}`);
    await cutting;
    await until('all are done', () => archiver.done.size === sent);
    await sendStubbornly(uplink, idOf(sent), 'the last');
    await until('its answer is heard', () => heard.has('the last'));
    expect(links.broken).toEqual([]);
  });
});
