// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import type { Running } from '../base/run.ts';
import { readSecret } from '../base/secrets.ts';
import type { RedisAddress, RedisLinkOptions } from '../queue/redis-connection.ts';

/** The config's Redis, with password and authority read from their files. */
export function redisAddress(config: Config, role: string): RedisAddress {
  const { host, port, username, password, ca, prefix } = need(config.redis, 'redis', role);
  return {
    host,
    port,
    prefix,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: readSecret(password).trim() }),
    ...(ca === undefined ? {} : { ca: readFileSync(ca, 'utf8') }),
  };
}

export function linkOptions(
  config: Config,
  role: string,
  events: Events,
  running: Pick<Running, 'fatal'>,
): RedisLinkOptions {
  return {
    redis: redisAddress(config, role),
    events: { trouble: (what, code) => events.trouble(`queue.${what}`, code) },
    onBroken: running.fatal,
  };
}
