// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { RedisAddress } from '../../src/queue/redis-connection.ts';
import { startRedis } from '../services/redis.ts';
import { Onlooker, RedisLinks, service } from './redis-subject.ts';
import { codeOfFailure, CONNECTOR, idOf, sendStubbornly, until } from './subject.ts';

describe('a queue in a Redis that', () => {
  it('is killed and starts again goes on where it was, apart from what it had not written yet', async () => {
    await using redis = await startRedis();
    const links = new RedisLinks(redis.port, { holdMs: 2000 });
    await using archiver = await service(links);
    await using uplink = links.uplink();
    const heard = new Set<string>();
    await uplink.listen((reply) => void heard.add(reply));
    let isOver = false;
    const killing = (async () => {
      for (let times = 0; times < 3; times += 1) {
        await sleep(400);
        await redis.kill();
        await sleep(100);
        await redis.start();
      }
      isOver = true;
    })();
    let sent = 0;
    for (; !isOver || sent < 1000; sent += 1) await sendStubbornly(uplink, idOf(sent), `job ${sent}`);
    await killing;
    // While an fsync runs, Redis answers before it writes: what it lost so is sent again, as the spool does.
    await until('all are done', async () => {
      await sleep(200);
      const missing = Array.from({ length: sent }, (_, index) => index).filter((id) => !archiver.done.has(`job ${id}`));
      await Promise.all(missing.map((id) => sendStubbornly(uplink, idOf(id), `job ${id}`)));
      return missing.length === 0;
    });
    await sendStubbornly(uplink, idOf(sent), 'the last');
    await until('its answer is heard', () => heard.has('the last'));
    expect(links.broken).toEqual([]);
  });

  it('is emptied goes on for all that comes later, jobs and replies', async () => {
    await using redis = await startRedis();
    const links = new RedisLinks(redis.port, { holdMs: 1000 });
    await using archiver = await service(links);
    await using uplink = links.uplink();
    const heard = new Set<string>();
    await uplink.listen((reply) => void heard.add(reply));
    for (let round = 0; round < 5; round += 1) {
      const ids = Array.from({ length: 200 }, (_, index) => round * 200 + index);
      const sends = Promise.all(ids.map((id) => sendStubbornly(uplink, idOf(id), `job ${id}`)));
      await redis.flushall();
      await sends;
      // As the reconciler does: what has no receipt is sent again, by the same name.
      await until('all are answered', async () => {
        const missing = ids.filter((id) => !heard.has(`job ${id}`));
        await Promise.all(missing.map((id) => uplink.send(idOf(id), `job ${id}`)));
        await sleep(50);
        return missing.length === 0;
      });
    }
    expect(archiver.done.size).toBe(1000);
    expect(links.broken).toEqual([]);
  });

  it('comes later than its users is used when it comes', async () => {
    await using redis = await startRedis();
    await redis.kill();
    const links = new RedisLinks(redis.port, { timeoutMs: 1000 });
    await using archiver = await service(links);
    await using uplink = links.uplink();
    const heard: string[] = [];
    await uplink.listen((reply) => void heard.push(reply));
    expect(await codeOfFailure(uplink.send(idOf(1), 'early'))).toBe('queue/unreachable');
    expect(await codeOfFailure(archiver.downlink.reply(CONNECTOR, 'early'))).toBe('queue/unreachable');
    expect([uplink.connected, archiver.downlink.connected]).toEqual([false, false]);
    await redis.start();
    await sendStubbornly(uplink, idOf(1), 'job');
    await until('it is answered', () => heard.includes('job'));
    expect([uplink.connected, archiver.downlink.connected]).toEqual([true, true]);
    expect(links.broken).toEqual([]);
  });

  it('is away does not keep its users from closing, jobs in work or not', async () => {
    await using redis = await startRedis();
    const links = new RedisLinks(redis.port, { closeMs: 100 });
    const downlink = links.downlink();
    let isInWork = false;
    await downlink.consume(() => {
      isInWork = true;
      return new Promise(() => undefined);
    });
    const uplink = links.uplink();
    await uplink.listen(() => undefined);
    await uplink.send(idOf(1), 'job');
    await until('it is in work', () => isInWork);
    await redis.kill();
    const never = new RedisLinks(redis.port);
    const others = [never.uplink(), never.downlink()] as const;
    await others[1].consume(async () => undefined);
    await others[0].listen(() => undefined);
    await Promise.all([downlink, uplink, ...others].map((end) => end[Symbol.asyncDispose]()));
    expect([...links.broken, ...never.broken]).toEqual([]);
  });

  it('becomes a replica for a while takes nothing, and goes on when it is none', async () => {
    await using redis = await startRedis();
    await using onlooker = new Onlooker(redis.port);
    const links = new RedisLinks(redis.port, { holdMs: 1000 });
    await using _ = await service(links);
    await using uplink = links.uplink();
    const heard = new Set<string>();
    await uplink.listen((reply) => void heard.add(reply));
    await uplink.send(idOf(0), 'job 0');
    await until('it runs', () => heard.size === 1);
    await onlooker.redis.replicaof('127.0.0.1', 1);
    expect(await codeOfFailure(uplink.send(idOf(1), 'job 1'))).toBe('queue/not-ready');
    await sleep(500);
    await onlooker.redis.replicaof('NO', 'ONE');
    for (let index = 1; index <= 100; index += 1) await sendStubbornly(uplink, idOf(index), `job ${index}`);
    await until('all are answered', () => heard.size === 101);
    expect(links.broken).toEqual([]);
  });

  it('writes everything to disk gets no word of an error', async () => {
    await using redis = await startRedis();
    const links = new RedisLinks(redis.port);
    await using uplink = links.uplink();
    await using downlink = links.downlink();
    let rejections = 0;
    await downlink.consume(async () => {
      rejections += 1;
      if (rejections <= 5) throw new Error('a canary', { cause: 'a canary' });
    });
    await uplink.send(idOf(1), 'sealed bytes');
    await until('it is done', () => rejections === 6);
    const files = await readdir(redis.dir, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
    );
    expect(texts.join('')).toContain('sealed bytes');
    expect(texts.join('')).not.toContain('canary');
  });
});

describe('a job whose holder is killed', () => {
  it('comes again, twice over, and never ends as failed', async () => {
    await using redis = await startRedis();
    await using onlooker = new Onlooker(redis.port);
    const links = new RedisLinks(redis.port, { holdMs: 1000 });
    await using uplink = links.uplink();
    await uplink.send(idOf(1), 'the job');
    for (let times = 0; times < 2; times += 1) await holdAndDie(links.redis);
    await using archiver = await service(links);
    await until('it comes again', () => archiver.done.has('the job'));
    const { prefix } = links.redis;
    await until('it is gone', async () => (await onlooker.redis.exists(`${prefix}:jobs:${idOf(1)}`)) === 0);
    expect(await onlooker.redis.exists(`${prefix}:jobs:failed`, `${prefix}:jobs:completed`)).toBe(0);
    expect(archiver.done.get('the job')).toBe(1);
  });
});

async function holdAndDie(address: RedisAddress): Promise<void> {
  const script = fileURLToPath(new URL('hold-one.ts', import.meta.url));
  const holder = spawn(process.execPath, [script, JSON.stringify(address)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  try {
    const [printed] = (await Promise.race([once(holder.stdout, 'data'), ended])) as [Buffer];
    expect(String(printed)).toContain('the job');
  } finally {
    holder.kill('SIGKILL');
    await ended;
  }
}
