// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyId } from '../record/key.ts';
import { JobConsumer, type ConsumerOptions } from './bullmq-consumer.ts';
import { closedFailure, type Downlink } from './link.ts';
import { RedisCaller, type RedisLinkOptions } from './redis-connection.ts';
import { appendReply, mailboxOf } from './return-path.ts';

export type DownlinkOptions = RedisLinkOptions & Partial<ConsumerOptions>;

/** The archiver's end of a queue in Redis. Three connections: for replies, for jobs, and one that waits for jobs. */
export class BullmqDownlink implements Downlink {
  readonly #options: DownlinkOptions;
  readonly #caller: RedisCaller;
  #consumer: JobConsumer | null = null;
  #closed = false;

  constructor(options: DownlinkOptions) {
    this.#options = options;
    this.#caller = new RedisCaller(options);
  }

  get connected(): boolean {
    return !this.#closed && this.#caller.isReady && this.#consumer?.isReady !== false;
  }

  async consume(take: (job: string) => Promise<void>): Promise<void> {
    if (this.#closed) throw closedFailure('consume');
    this.#consumer = new JobConsumer(this.#options, take);
  }

  async reply(to: KeyId, reply: string): Promise<void> {
    await appendReply(this.#caller, mailboxOf(this.#options.redis.prefix, to), reply);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    // Replies of the jobs that still finish go out.
    await this.#consumer?.close();
    this.#caller.close();
  }
}
