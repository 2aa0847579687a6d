// SPDX-License-Identifier: AGPL-3.0-or-later
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectRedis, judgeRedis } from '../../src/queue/inspect-redis.ts';
import { selfSigned } from '../archive/store/self-signed.ts';
import { Guard } from '../services/guard.ts';
import { freePort } from '../services/ports.ts';
import { sharedRedisUrl } from '../services/shared.ts';
import { ARCHIVER, connectorUser, filledAcl } from './acl-users.ts';
import { RedisLinks } from './redis-subject.ts';
import { codeOfFailure, CONNECTOR, idOf, sendStubbornly, until } from './subject.ts';

const CONFIG = fileURLToPath(new URL('../../deploy/redis/redis.conf', import.meta.url));
const identity = selfSigned();
const guard = new Guard('deployed');
const port = await freePort();
const links = new RedisLinks(port);
const secured = { ...links.redis, ca: identity.cert };

/** The configuration of the deployment as it is, but for where things lie. */
beforeAll(async () => {
  const files = { 'redis.crt': identity.cert, 'redis.key': identity.key, 'users.acl': filledAcl([CONNECTOR]) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(guard.dir, name), text);
  const places = {
    bind: '127.0.0.1',
    dir: guard.dir,
    'tls-port': String(port),
    'tls-cert-file': join(guard.dir, 'redis.crt'),
    'tls-key-file': join(guard.dir, 'redis.key'),
    'tls-ca-cert-file': join(guard.dir, 'redis.crt'),
    aclfile: join(guard.dir, 'users.acl'),
  };
  const changes = Object.entries(places).flatMap(([name, value]) => [`--${name}`, value]);
  const service = guard.start('redis', 'redis-server', [CONFIG, ...changes]);
  await service.ready(() => accepts(port), 20_000);
});
afterAll(() => guard.end());

describe('Redis as it is deployed', () => {
  it('carries jobs and replies over TLS', async () => {
    await using uplink = links.uplink(CONNECTOR, { redis: { ...secured, ...connectorUser(CONNECTOR) } });
    await using downlink = links.downlink({ redis: { ...secured, ...ARCHIVER } });
    const heard: string[] = [];
    await uplink.listen((reply) => void heard.push(reply));
    await downlink.consume((job) => downlink.reply(CONNECTOR, `to ${job}`));
    await sendStubbornly(uplink, idOf(1), 'job');
    await until('it is answered', () => heard.length === 1);
    expect(heard).toEqual(['to job']);
    expect(links.troubles.seen).toEqual([]);
  });

  it('is not talked to when another authority vouches for it, or none', async () => {
    for (const ca of [selfSigned().cert, 'no certificate']) {
      const redis = { ...secured, ca, ...connectorUser(CONNECTOR) };
      await using uplink = links.uplink(CONNECTOR, { redis });
      expect(await codeOfFailure(uplink.send(idOf(1), 'job'))).toBe('queue/tls');
    }
  });

  it('does not talk without TLS', async () => {
    await using uplink = links.uplink(CONNECTOR, {
      redis: { ...links.redis, ...connectorUser(CONNECTOR) },
      timeoutMs: 500,
    });
    expect(await codeOfFailure(uplink.send(idOf(1), 'job'))).toBe('queue/unreachable');
  });

  it.each([ARCHIVER, connectorUser(CONNECTOR)])('is found in order by $username', async (user) => {
    const findings = await inspectRedis({ ...links.options, redis: { ...secured, ...user } });
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(findings.map(({ check }) => check)).toContain('eviction');
  });
});

describe('the look at a Redis', () => {
  it('finds the default user and the missing memory limit of the one the tests share', async () => {
    const shared = Number(new URL(sharedRedisUrl()).port);
    const findings = await inspectRedis(new RedisLinks(shared).options);
    expect(findings.filter(({ ok }) => !ok).map(({ check }) => check)).toEqual(['memory limit', 'user']);
  });

  it('says that nothing could be asked when nobody answers', async () => {
    const nobody = new RedisLinks(await freePort(), { timeoutMs: 300 });
    expect(await codeOfFailure(inspectRedis(nobody.options))).toBe('queue/unreachable');
  });

  const good = [
    'redis_version:7.0.15',
    'role:master',
    'maxmemory:1073741824',
    'total_system_memory:8589934592',
    'maxmemory_policy:noeviction',
    'aof_enabled:1',
    'aof_last_write_status:ok',
    'aof_last_bgrewrite_status:ok',
    'rdb_last_bgsave_status:ok',
    'loading:0',
  ];

  it.each([
    ['redis_version:6.2.14', 'version'],
    ['redis_version:unknown', 'version'],
    ['role:slave', 'role'],
    ['maxmemory:0', 'memory limit'],
    ['maxmemory:8589934593', 'memory limit'],
    ['maxmemory_policy:allkeys-lru', 'eviction'],
    ['aof_enabled:0', 'append-only file'],
    ['aof_last_write_status:err', 'last write of it'],
    ['aof_last_bgrewrite_status:err', 'last rewrite of it'],
    ['rdb_last_bgsave_status:err', 'last snapshot'],
    ['loading:1', 'loading'],
  ])('finds %s', (line, check) => {
    const name = line.slice(0, line.indexOf(':'));
    const info = good.map((one) => (one.startsWith(`${name}:`) ? line : one)).join('\r\n');
    const bad = judgeRedis(info, 'archiver').filter(({ ok }) => !ok);
    expect(bad.map((finding) => finding.check)).toEqual([check]);
    expect(bad[0]?.fix).not.toBe('');
  });

  it('takes what it is not told for bad', () => {
    const bad = judgeRedis('# Server\r\n', 'default').filter(({ ok }) => !ok);
    expect(bad).toHaveLength(judgeRedis('', 'default').length);
  });
});

function accepts(at: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
}
