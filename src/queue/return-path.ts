// SPDX-License-Identifier: AGPL-3.0-or-later
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { codeOf } from '../base/failure.ts';
import type { KeyId } from '../record/key.ts';
import {
  ANSWER_WITHIN_MS,
  connectionOptions,
  watchConnection,
  type RedisCaller,
  type RedisLinkOptions,
} from './redis-connection.ts';
import { redisFailure } from './redis-failure.ts';

/*
 * Each connector has a mailbox: a Redis stream that holds what it has not handled yet. The listener always reads from the
 * beginning and deletes what it has handled, so there is no position to remember: not over a restart, and not over a wiped Redis
 * or one whose clock went back, after which a remembered position would wait for ids that never come. Nothing handled comes
 * again at the next start, which matters for replies that are true only for a moment. A crash in between repeats the last ones.
 */

/** Replies kept for a connector that does not listen; the newest, because receipts cover those before. */
const MOST_REPLIES = 1000;
const KEPT_FOR_MS = 7 * 86_400_000;
const READ_AT_ONCE = 64;
const BLOCK_MS = 5000;
const PAUSE_MS = 500;
const STOP_WITHIN_MS = 2000;
const FIELD = 'r';

/** Allowed beyond `maxmemory`, within its own bound: receipts are what lets connectors stop sending. */
const APPEND = `#!lua flags=allow-oom
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', '${FIELD}', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])`;

export function mailboxOf(prefix: string, connector: KeyId): string {
  return `${prefix}:replies:${connector}`;
}

export async function appendReply(caller: RedisCaller, mailbox: string, reply: string): Promise<void> {
  const { client } = caller;
  await caller.call('reply', reply.length, () => client.eval(APPEND, 1, mailbox, MOST_REPLIES, reply, KEPT_FOR_MS));
}

/** Empties one mailbox for as long as it lives, on a connection of its own because reading blocks it. */
export class MailboxReader {
  readonly #options: RedisLinkOptions;
  readonly #mailbox: string;
  readonly #onReply: (reply: string) => Promise<void> | void;
  readonly #client: Redis;
  readonly #running: Promise<void>;
  /** Handled, and to be deleted still. */
  readonly #handled = new Set<string>();
  #isWaiting = false;
  #stopped = false;

  constructor(options: RedisLinkOptions, mailbox: string, onReply: (reply: string) => Promise<void> | void) {
    const timeoutMs = options.timeoutMs ?? ANSWER_WITHIN_MS;
    this.#options = options;
    this.#mailbox = mailbox;
    this.#onReply = onReply;
    this.#client = new Redis({
      ...connectionOptions(options.redis, timeoutMs),
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      // A connection that died without a word is noticed when even the empty answer stays out.
      socketTimeout: BLOCK_MS + timeoutMs,
    });
    watchConnection(this.#client, options, () => this.#stopped);
    this.#running = this.#run();
  }

  get isReady(): boolean {
    return this.#client.status === 'ready';
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (this.isReady) await this.#readOnce();
        else await once(this.#client, 'ready', { signal: AbortSignal.timeout(PAUSE_MS) }).catch(() => undefined);
      } catch (error) {
        if (this.#stopped) return;
        if (this.isReady) this.#options.events.trouble('transport', redisFailure(error, 'replies').code);
        await sleep(PAUSE_MS, undefined, { ref: false });
      }
    }
  }

  async #readOnce(): Promise<void> {
    this.#isWaiting = true;
    const reading = this.#client.xread('COUNT', READ_AT_ONCE, 'BLOCK', BLOCK_MS, 'STREAMS', this.#mailbox, '0');
    const found = await reading.finally(() => (this.#isWaiting = false));
    const entries = found?.[0]?.[1] ?? [];
    for (const [id, fields] of entries) {
      if (this.#stopped) break;
      if (this.#handled.has(id)) continue;
      const reply = fields[fields.indexOf(FIELD) + 1];
      if (reply !== undefined) await this.#handle(reply);
      this.#handled.add(id);
    }
    if (this.#handled.size > 0) await this.#client.xdel(this.#mailbox, ...this.#handled);
    this.#handled.clear();
  }

  async #handle(reply: string): Promise<void> {
    try {
      await this.#onReply(reply);
    } catch (error) {
      this.#options.events.trouble('reply', codeOf(error));
    }
  }

  /** Resolves when no reply is being handled any more, or when that takes too long. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // What is being handled is still deleted after it.
    if (this.#isWaiting) this.#client.disconnect();
    await Promise.race([this.#running, sleep(STOP_WITHIN_MS, undefined, { ref: false })]);
    this.#client.disconnect();
  }
}
