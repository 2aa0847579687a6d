// SPDX-License-Identifier: AGPL-3.0-or-later
import { Redis } from 'ioredis';
import type { Failure } from '../../src/base/failure.ts';
import { BullmqDownlink, type DownlinkOptions } from '../../src/queue/bullmq-downlink.ts';
import { BullmqUplink } from '../../src/queue/bullmq-uplink.ts';
import type { RedisAddress, RedisLinkOptions } from '../../src/queue/redis-connection.ts';
import { uniqueName } from '../services/shared.ts';
import { CONNECTOR, QUICK, Troubles, type Settings } from './subject.ts';

/** Both ends of a queue in one Redis, and what they told. */
export class RedisLinks {
  readonly redis: RedisAddress;
  readonly troubles: Troubles;
  readonly broken: Failure[] = [];
  readonly #change: Partial<DownlinkOptions>;

  constructor(port: number, change: Partial<DownlinkOptions> = {}, troubles: Troubles = new Troubles()) {
    this.redis = { host: '127.0.0.1', port, prefix: uniqueName('test') };
    this.troubles = troubles;
    this.#change = change;
  }

  get options(): RedisLinkOptions {
    const { redis, troubles, broken } = this;
    return { redis, events: troubles, onBroken: (failure) => broken.push(failure) };
  }

  uplink(connector: string = CONNECTOR, change: Partial<RedisLinkOptions> = {}): BullmqUplink {
    return new BullmqUplink({ ...this.options, ...this.#change, ...change, connector });
  }

  downlink(change: Partial<DownlinkOptions> = {}): BullmqDownlink {
    const settings: Settings = QUICK;
    return new BullmqDownlink({ ...this.options, ...settings, ...this.#change, ...change });
  }
}

/** Takes jobs, answers each, and counts. */
export async function service(links: RedisLinks, change: Parameters<RedisLinks['downlink']>[0] = {}) {
  const done = new Map<string, number>();
  const downlink = links.downlink(change);
  await downlink.consume(async (job) => {
    done.set(job, (done.get(job) ?? 0) + 1);
    await downlink.reply(CONNECTOR, job.slice(0, 20)).catch(() => undefined);
  });
  return { done, downlink, [Symbol.asyncDispose]: () => downlink[Symbol.asyncDispose]() };
}

/** An all-powerful look from outside, closed with `await using`. */
export class Onlooker implements AsyncDisposable {
  readonly redis: Redis;

  constructor(port: number, login: { readonly username?: string; readonly password?: string } = {}) {
    this.redis = new Redis({ host: '127.0.0.1', port, ...login });
    this.redis.on('error', () => undefined);
  }

  keysOf(prefix: string): Promise<string[]> {
    return this.redis.keys(`${prefix}:*`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.redis.disconnect();
  }
}
