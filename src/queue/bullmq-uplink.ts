// SPDX-License-Identifier: AGPL-3.0-or-later
import { Queue, type JobsOptions } from 'bullmq';
import type { KeyId } from '../record/key.ts';
import { closedFailure, type Uplink } from './link.ts';
import { RedisCaller, type RedisLinkOptions } from './redis-connection.ts';
import { mailboxOf, MailboxReader } from './return-path.ts';

/** One queue for all connectors and kinds of jobs, one name for all jobs: what Redis shows says nothing. */
export const QUEUE_NAME = 'jobs';
const JOB_NAME = 'j';

/** A finished job leaves nothing, because one that stays would swallow every later job of its name without a word. */
const JOB_OPTIONS: JobsOptions = { removeOnComplete: true, removeOnFail: true };

export interface UplinkOptions extends RedisLinkOptions {
  readonly connector: KeyId;
}

/** The connector's end of a queue in Redis. Two connections: one to send, one that waits for replies. */
export class BullmqUplink implements Uplink {
  readonly #options: UplinkOptions;
  readonly #caller: RedisCaller;
  readonly #queue: Queue<string>;
  #reader: MailboxReader | null = null;
  #closed = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#caller = new RedisCaller(options);
    this.#queue = new Queue(QUEUE_NAME, {
      connection: this.#caller.client,
      prefix: options.redis.prefix,
      // Both would be asked once, at the start, and a queue whose first question fails is broken for ever.
      skipVersionCheck: true,
      skipMetasUpdate: true,
      skipWaitingForReady: true,
    });
    // Told by `watchConnection` already.
    this.#queue.on('error', () => undefined);
  }

  get connected(): boolean {
    return !this.#closed && this.#caller.isReady;
  }

  async send(id: string, job: string): Promise<void> {
    await this.#caller.call('send', job.length, () => this.#queue.add(JOB_NAME, job, { ...JOB_OPTIONS, jobId: id }));
  }

  async listen(onReply: (reply: string) => Promise<void> | void): Promise<void> {
    if (this.#closed) throw closedFailure('listen');
    this.#reader = new MailboxReader(
      this.#options,
      mailboxOf(this.#options.redis.prefix, this.#options.connector),
      onReply,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#reader?.stop();
    await this.#queue.close();
    this.#caller.close();
  }
}
