// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { encodeJob, jobId } from '../../src/queue/job.ts';
import { ARCHIVER, connectorUser, OPERATOR, startGuardedRedis } from './acl-users.ts';
import { linkContract } from './contract.ts';
import { Onlooker, RedisLinks } from './redis-subject.ts';
import { codeOfFailure, CONNECTOR, idOf, sendStubbornly, until } from './subject.ts';

const OTHER = 'ffeeddccbbaa99887766554433221100';
const STRANGER = '0123456789abcdef0123456789abcdef';
const redis = await startGuardedRedis([CONNECTOR, OTHER]);
afterAll(() => redis.stop());

function guarded(settings: ConstructorParameters<typeof RedisLinks>[1] = {}) {
  const links = new RedisLinks(redis.port, settings);
  const as = (user: { username: string; password: string }) => ({ redis: { ...links.redis, ...user } });
  return {
    links,
    uplink: (connector = CONNECTOR) => links.uplink(connector, as(connectorUser(connector))),
    downlink: () => links.downlink(as(ARCHIVER)),
  };
}

describe('a queue in Redis under the users of the deployment', () => {
  linkContract((settings, events) => guarded({ ...settings, events }));

  it('finds again the job of a holder that died', async () => {
    const { links, uplink, downlink } = guarded({ holdMs: 300 });
    await using up = uplink();
    await up.send(idOf(1), 'job');
    await using onlooker = new Onlooker(redis.port, OPERATOR);
    const { prefix } = links.redis;
    await onlooker.redis.rpoplpush(`${prefix}:jobs:wait`, `${prefix}:jobs:active`);
    await using down = downlink();
    let isTaken = false;
    await down.consume(async () => void (isTaken = true));
    await until('it is taken', () => isTaken);
  });

  it('starts with connectors alone, and again after it was emptied', async () => {
    const { uplink, downlink } = guarded();
    await using up = uplink();
    await up.send(idOf(1), 'before');
    await redis.flushall();
    await up.send(idOf(2), 'after');
    await using down = downlink();
    const taken: string[] = [];
    await down.consume(async (job) => void taken.push(job));
    await until('what came after is taken', () => taken.length === 1);
    expect(taken).toEqual(['after']);
  });

  it('lets signed entries through, by the name that they have in the queue', async () => {
    const { uplink, downlink } = guarded();
    const job = { kind: 'approved', line: 'a line', document: '' } as const;
    await using up = uplink();
    await up.send(jobId(job), encodeJob(job));
    await using down = downlink();
    const taken: string[] = [];
    await down.consume(async (text) => void taken.push(text));
    await until('it is taken', () => taken.length === 1);
    expect(taken).toEqual([encodeJob(job)]);
  });

  it('denies whoever has no password, a wrong one, or another role', async () => {
    const { links, downlink } = guarded({ timeoutMs: 1000 });
    const users = [{}, { username: 'archiver', password: 'wrong' }, connectorUser(STRANGER)];
    for (const user of users) {
      await using up = links.uplink(CONNECTOR, { redis: { ...links.redis, ...user } });
      expect(await codeOfFailure(up.send(idOf(1), 'job'))).toBe('queue/denied');
      await until('its operator is told', () => links.troubles.seen.includes('transport queue/denied'));
      links.troubles.seen.length = 0;
    }
    await using up = links.uplink(CONNECTOR, { redis: { ...links.redis, ...ARCHIVER } });
    await using down = links.downlink({ redis: { ...links.redis, ...connectorUser(CONNECTOR) } });
    await sendStubbornly(up, idOf(1), 'job');
    let isTaken = false;
    await down.consume(async () => void (isTaken = true));
    expect(await codeOfFailure(down.reply(CONNECTOR, 'forged'))).toBe('queue/denied');
    await sleep(1000);
    expect(isTaken).toBe(false);
    expect(new Set(links.troubles.seen)).toEqual(new Set(['transport queue/denied']));
    // It asks again, and does not hammer.
    expect(links.troubles.seen.length).toBeLessThan(20);
    await using rightful = downlink();
    await rightful.consume(async () => void (isTaken = true));
    await until('the archiver takes it', () => isTaken);
    expect(links.broken).toEqual([]);
  });
});

describe('a user who may read its mailbox and not delete from it', () => {
  it('hears each reply once, and its operator hears of it', async () => {
    const { links, downlink } = guarded();
    const reader = { username: 'reader', password: 'of-the-reader' };
    await using onlooker = new Onlooker(redis.port, OPERATOR);
    await onlooker.redis.call('ACL', 'SETUSER', 'reader', 'on', '>of-the-reader', '~*', '+info', '+xread');
    await using up = links.uplink(CONNECTOR, { redis: { ...links.redis, ...reader } });
    await using down = downlink();
    const heard: string[] = [];
    await up.listen((reply) => void heard.push(reply));
    await down.reply(CONNECTOR, 'one');
    await until('its operator is told', () => links.troubles.seen.includes('transport queue/denied'));
    await down.reply(CONNECTOR, 'two');
    await until('the second is heard', () => heard.includes('two'));
    expect(heard).toEqual(['one', 'two']);
  });
});

describe('a connector’s user', () => {
  const p = 'test-acl';
  const connector = connect(connectorUser(CONNECTOR));
  const refused: readonly (readonly string[])[] = [
    ['RPOPLPUSH', `${p}:jobs:wait`, `${p}:jobs:active`],
    ['LPOP', `${p}:jobs:wait`],
    ['LRANGE', `${p}:jobs:wait`, '0', '-1'],
    ['LINDEX', `${p}:jobs:wait`, '0'],
    ['BZPOPMIN', `${p}:jobs:marker`, '1'],
    ['HGETALL', `${p}:jobs:${idOf(1)}`],
    ['DEL', `${p}:jobs:${idOf(1)}`],
    ['LPUSH', `${p}:jobs:active`, 'x'],
    ['HMSET', `${p}:jobs:meta`, 'paused', '1'],
    ['ZADD', `${p}:jobs:delayed`, '1', 'x'],
    ['EXPIRE', `${p}:jobs:${idOf(1)}`, '1'],
    ['SET', `${p}:jobs:${idOf(1)}`, 'x'],
    ['XREAD', 'STREAMS', `${p}:jobs:events`, '0'],
    ['XRANGE', `${p}:jobs:events`, '-', '+'],
    ['XREAD', 'STREAMS', `${p}:replies:${OTHER}`, '0'],
    ['XADD', `${p}:replies:${OTHER}`, '*', 'r', 'x'],
    ['XADD', `${p}:replies:${CONNECTOR}`, '*', 'r', 'x'],
    ['XDEL', `${p}:replies:${OTHER}`, '1-1'],
    ['HGET', 'elsewhere', 'x'],
    ['EVAL', 'return redis.call("RPOPLPUSH", KEYS[1], KEYS[2])', '2', `${p}:jobs:wait`, `${p}:jobs:active`],
    ['EVAL', `return redis.call("XADD", "${p}:replies:${OTHER}", "*", "r", "x")`, '0'],
    ['EVAL', 'return redis.call("KEYS", "*")', '0'],
  ];
  adminRows(connector, refused);

  it('takes no jobs with BullMQ either', async () => {
    const { links, uplink } = guarded();
    await using up = uplink();
    await up.send(idOf(1), 'job');
    const { port } = redis;
    const { prefix } = links.redis;
    const taken: string[] = [];
    const errors: string[] = [];
    const worker = new Worker(
      'jobs',
      async ({ id }) => {
        taken.push(String(id));
      },
      { connection: { port, ...connectorUser(CONNECTOR), maxRetriesPerRequest: null }, prefix },
    );
    worker.on('error', ({ message }) => errors.push(message));
    await until('it is refused', () => errors.length > 0);
    await worker.close(true);
    expect(taken).toEqual([]);
    expect(errors[0]).toMatch(/can't run this command/);
  });
});

describe('the archiver’s user', () => {
  adminRows(connect(ARCHIVER), [
    ['GET', 'elsewhere'],
    ['DEL', 'elsewhere'],
    ['XREAD', 'STREAMS', `test-acl:replies:${CONNECTOR}`, '0'],
    ['EVAL', 'return redis.call("FLUSHALL")', '0'],
  ]);
});

/** What only an operator may do. */
function adminRows(client: Redis, others: readonly (readonly string[])[]): void {
  const admin = [
    ['FLUSHALL'],
    ['FLUSHDB'],
    ['CONFIG', 'GET', '*'],
    ['CONFIG', 'SET', 'maxmemory', '0'],
    ['DEBUG', 'SLEEP', '0'],
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['RANDOMKEY'],
    ['DBSIZE'],
    ['ACL', 'LIST'],
    ['ACL', 'SETUSER', 'me', 'on'],
    ['CLIENT', 'LIST'],
    ['CLIENT', 'KILL', 'TYPE', 'normal'],
    ['SCRIPT', 'FLUSH'],
    ['FUNCTION', 'FLUSH'],
    ['MONITOR'],
    ['SLOWLOG', 'GET'],
    ['SUBSCRIBE', 'x'],
    ['PUBLISH', 'x', 'y'],
    ['SHUTDOWN', 'NOSAVE'],
    ['REPLICAOF', 'NO', 'ONE'],
    ['SAVE'],
    ['BGREWRITEAOF'],
    ['SWAPDB', '0', '1'],
    ['SELECT', '1'],
  ];
  it.each([...admin, ...others])('may not %s %s', async (command = '', ...args) => {
    await expect(client.call(command, ...args)).rejects.toThrow(/^NOPERM|^ERR The user executing the script can't/);
  });
}

function connect(user: { readonly username: string; readonly password: string }): Redis {
  const client = new Redis({ port: redis.port, ...user, disableClientInfo: true });
  client.on('error', () => undefined);
  afterAll(() => client.disconnect());
  return client;
}
