// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { sharedRedisUrl } from '../services/shared.ts';
import { linkContract } from './contract.ts';
import { Onlooker, RedisLinks } from './redis-subject.ts';
import { CONNECTOR, dice, idOf, until } from './subject.ts';

const port = Number(new URL(sharedRedisUrl()).port);

describe('a queue in Redis', () => {
  linkContract((settings, events) => {
    const links = new RedisLinks(port, { ...settings, events });
    return { uplink: (connector) => links.uplink(connector), downlink: () => links.downlink() };
  });
});

describe('a queue in Redis, as such,', () => {
  it('leaves no job behind, and nothing that stands in the way of the next of its name', async () => {
    const links = new RedisLinks(port);
    await using uplink = links.uplink();
    await using downlink = links.downlink();
    await using onlooker = new Onlooker(port);
    let taken = 0;
    await downlink.consume(async () => {
      taken += 1;
      if (taken % 3 === 0) throw new Error('not now');
    });
    for (let index = 0; index < 60; index += 1) await uplink.send(idOf(index), 'job');
    const keys = async (): Promise<string[]> => (await onlooker.keysOf(links.redis.prefix)).toSorted();
    await until('no job is left', async () => !(await keys()).some((key) => key.includes(':b-')));
    const names = new Set((await keys()).map((key) => key.slice(links.redis.prefix.length + 1)));
    expect([...names].filter((name) => !/^jobs:(?:id|meta|events|marker|stalled-check)$/.test(name))).toEqual([]);
  });

  it('tells Redis nothing of a job but its name, and of an error nothing', async () => {
    const links = new RedisLinks(port, { againAfterMs: [60_000, 60_000] });
    await using uplink = links.uplink();
    await using downlink = links.downlink();
    await using onlooker = new Onlooker(port);
    await downlink.consume(() => Promise.reject(new Error('a canary in an error', { cause: 'another canary' })));
    await uplink.send(idOf(1), 'sealed bytes');
    const { prefix } = links.redis;
    await until('it pauses', async () => (await onlooker.redis.zcard(`${prefix}:jobs:delayed`)) === 1);
    const job = await onlooker.redis.hgetall(`${prefix}:jobs:${idOf(1)}`);
    expect(Object.keys(job).toSorted()).toEqual(
      ['ats', 'data', 'delay', 'name', 'opts', 'priority', 'processedOn', 'timestamp'].toSorted(),
    );
    expect(job).toMatchObject({ name: 'j', data: '"sealed bytes"' });
    const events = JSON.stringify(await onlooker.redis.xrange(`${prefix}:jobs:events`, '-', '+'));
    expect(events).not.toContain('canary');
    expect(events).not.toContain('sealed');
  });

  it('keeps the record of events short, also after a wipe, and starts again a queue that somebody stopped', async () => {
    const links = new RedisLinks(port, { holdMs: 300 });
    await using uplink = links.uplink();
    await using onlooker = new Onlooker(port);
    const { prefix } = links.redis;
    const meta = `${prefix}:jobs:meta`;
    await uplink.send(idOf(0), 'job 0');
    await onlooker.redis.hset(meta, { paused: 1, concurrency: 0, max: 1, duration: 1_000_000_000 });
    await using downlink = links.downlink();
    const taken = new Set<string>();
    await downlink.consume(async (job) => void taken.add(job));
    await until('it is taken', () => taken.size === 1);
    await onlooker.redis.del(meta);
    for (let index = 1; index <= 500; index += 1) await uplink.send(idOf(index), `job ${index}`);
    await until('all are taken', () => taken.size === 501);
    await until('it is short', async () => (await onlooker.redis.xlen(`${prefix}:jobs:events`)) < 400);
  });

  it('takes what is no job for a job of somebody else to judge, and is not stopped by it', async () => {
    const links = new RedisLinks(port, { holdMs: 300 });
    await using uplink = links.uplink();
    await using onlooker = new Onlooker(port);
    const { prefix } = links.redis;
    const plant = async (id: string, fields: Record<string, string>): Promise<void> => {
      if (Object.keys(fields).length > 0) await onlooker.redis.hset(`${prefix}:jobs:${id}`, fields);
      await onlooker.redis.lpush(`${prefix}:jobs:wait`, id);
    };
    await plant('without-a-hash', {});
    await plant('no-string', { name: 'j', data: '{"a":1}', opts: '{"removeOnComplete":false}' });
    await plant('no-json', { name: 'j', data: 'sealed', opts: '{}' });
    await plant('no-options', { name: 'j', data: '"x"', opts: '{' });
    await onlooker.redis.set(`${prefix}:jobs:other-type`, 'x');
    await onlooker.redis.lpush(`${prefix}:jobs:wait`, 'other-type');
    await uplink.send(idOf(1), 'a job');
    await using downlink = links.downlink();
    const taken: string[] = [];
    await downlink.consume(async (job) => void taken.push(job));
    await until('the job is taken', () => taken.includes('a job'));
    expect(taken).toEqual(['{}', '{"a":1}', 'a job']);
    await sleep(1000);
    await uplink.send(idOf(2), 'another');
    await until('it goes on', () => taken.includes('another'));
    expect(await onlooker.redis.exists(`${prefix}:jobs:no-string`, `${prefix}:jobs:without-a-hash`)).toBe(0);
    expect(links.broken).toEqual([]);
  });

  it('does not give away a job whose holder is slow and alive', async () => {
    const links = new RedisLinks(port, { holdMs: 1000, concurrency: 2 });
    await using uplink = links.uplink();
    await using slow = links.downlink();
    await using other = links.downlink();
    let started = 0;
    let done = 0;
    const take = async (): Promise<void> => {
      started += 1;
      await sleep(3500);
      done += 1;
    };
    await slow.consume(take);
    await other.consume(take);
    for (let index = 0; index < 4; index += 1) await uplink.send(idOf(index), 'job');
    await until('all are done', () => done === 4);
    await sleep(300);
    expect(started).toBe(4);
    expect(links.troubles.seen).toEqual([]);
  });

  it('leaves no job unheld when it closes at any moment', async () => {
    const links = new RedisLinks(port, { closeMs: 0, concurrency: 4 });
    await using uplink = links.uplink();
    await using onlooker = new Onlooker(port);
    const random = dice(11);
    for (let round = 0; round < 40; round += 1) {
      const downlink = links.downlink();
      await downlink.consume(() => sleep(1));
      const ids = Array.from({ length: 20 }, (_, index) => round * 20 + index);
      await Promise.all(ids.map((id) => uplink.send(idOf(id), 'job')));
      await sleep(random() * 10);
      await downlink[Symbol.asyncDispose]();
      expect(await onlooker.redis.lrange(`${links.redis.prefix}:jobs:active`, 0, -1)).toEqual([]);
    }
  });

  it('keeps a mailbox no longer than a week', async () => {
    const links = new RedisLinks(port);
    await using downlink = links.downlink();
    await using onlooker = new Onlooker(port);
    await downlink.reply(CONNECTOR, 'reply');
    const lifeMs = await onlooker.redis.pttl(`${links.redis.prefix}:replies:${CONNECTOR}`);
    expect(lifeMs).toBeGreaterThan(6 * 86_400_000);
    expect(lifeMs).toBeLessThanOrEqual(7 * 86_400_000);
  });

  it('hears replies also when the clock of Redis went back', async () => {
    const links = new RedisLinks(port);
    await using uplink = links.uplink();
    await using downlink = links.downlink();
    await using onlooker = new Onlooker(port);
    const heard: string[] = [];
    await uplink.listen((reply) => void heard.push(reply));
    const mailbox = `${links.redis.prefix}:replies:${CONNECTOR}`;
    await onlooker.redis.xadd(mailbox, `${Date.now() + 3_600_000}-0`, 'r', 'from the future');
    await until('it is heard', () => heard.length === 1);
    await onlooker.redis.del(mailbox);
    await downlink.reply(CONNECTOR, 'from now');
    await until('it is heard too', () => heard.length === 2);
  });

  it('surfaces that fetching gives no sign of life', async () => {
    const links = new RedisLinks(port, { holdMs: 300, fetchWithinMs: 500 });
    await using downlink = links.downlink();
    await downlink.consume(async () => undefined);
    await until('its owner is told', () => links.broken.length > 0);
    expect(links.broken.map(({ code, kind }) => `${kind} ${code}`)).toEqual(['fatal queue/broken']);
    expect(downlink.connected).toBe(false);
  });

  it('surfaces a connection that can never be', async () => {
    const links = new RedisLinks(port);
    const { options } = links;
    await using uplink = links.uplink(CONNECTOR, { redis: { ...options.redis, port: 70_000 } });
    await until('its owner is told', () => links.broken.length > 0);
    expect(links.broken[0]?.code).toBe('queue/broken');
    expect(uplink.connected).toBe(false);
  });
});
