// SPDX-License-Identifier: AGPL-3.0-or-later
import { RedisCaller, type RedisLinkOptions } from './redis-connection.ts';

/** One thing that should be so about a Redis. */
export interface RedisFinding {
  readonly check: string;
  readonly expected: string;
  readonly got: string;
  /** What to do if it is not ok; a line of `redis.conf` where one helps. */
  readonly fix: string;
  readonly ok: boolean;
}

/**
 * Looks whether Redis is set up as the queue needs it. INFO tells all of it but how often the file is synced, which nobody but an
 * operator may ask and nothing depends on. Rejects with a `retry` failure when Redis cannot be asked.
 */
export async function inspectRedis(options: RedisLinkOptions): Promise<readonly RedisFinding[]> {
  const caller = new RedisCaller(options);
  try {
    const info = await caller.call('doctor', 0, () => caller.client.info());
    const user = await caller.call('doctor', 0, () => caller.client.call('ACL', 'WHOAMI'));
    return judgeRedis(info, String(user));
  } finally {
    caller.close();
  }
}

/** The judgement on the text of INFO and the name we are known by. */
export function judgeRedis(info: string, user: string): readonly RedisFinding[] {
  const facts = new Map(
    info.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(':');
      return at > 0 && !line.startsWith('#') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    }),
  );
  const of = (name: string): string => facts.get(name) ?? 'nothing';
  const is = (check: string, name: string, expected: string, fix: string): RedisFinding => {
    return { check, expected, got: of(name), fix, ok: of(name) === expected };
  };
  const maxmemory = Number(facts.get('maxmemory') ?? 'NaN');
  return [
    {
      check: 'version',
      expected: '7.0 or later',
      got: of('redis_version'),
      fix: 'use Redis 7.0 or Valkey: older ones have neither scripts that may run when memory is full nor these ACLs',
      ok: Number.parseInt(of('redis_version'), 10) >= 7,
    },
    is('role', 'role', 'master', 'connect to the primary: a replica takes no writes'),
    is('eviction', 'maxmemory_policy', 'noeviction', 'maxmemory-policy noeviction'),
    {
      check: 'memory limit',
      expected: 'a limit below the machine’s memory',
      got: maxmemory > 0 ? `${maxmemory} bytes` : 'none',
      fix: 'maxmemory 1gb',
      ok: maxmemory > 0 && maxmemory < Number(facts.get('total_system_memory') ?? Infinity),
    },
    is('append-only file', 'aof_enabled', '1', 'appendonly yes'),
    is('last write of it', 'aof_last_write_status', 'ok', 'see the log of Redis: disk full or failing'),
    is('last rewrite of it', 'aof_last_bgrewrite_status', 'ok', 'see the log of Redis: disk full or memory short'),
    is('last snapshot', 'rdb_last_bgsave_status', 'ok', 'see the log of Redis; save "" if no snapshots are wanted'),
    is('loading', 'loading', '0', 'wait until Redis has read its file'),
    {
      check: 'user',
      expected: 'a user of this role',
      got: user === 'default' ? 'the default user, who may do everything' : 'one',
      fix: 'set username and password, and use deploy/redis/users.acl',
      ok: user !== 'default',
    },
  ];
}
