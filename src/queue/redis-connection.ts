// SPDX-License-Identifier: AGPL-3.0-or-later
import { Redis, type RedisOptions } from 'ioredis';
import { Failure } from '../base/failure.ts';
import { closedFailure, type LinkEvents } from './link.ts';
import { redisFailure } from './redis-failure.ts';

/** Where Redis is and who we are to it, as values: files are read where the config is. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** PEM of the authorities that may vouch for `host`; switches TLS on. */
  readonly ca?: string;
  /** In front of every key, without `:`. */
  readonly prefix: string;
}

export interface RedisLinkOptions {
  readonly redis: RedisAddress;
  readonly events: LinkEvents;
  /** A connection is beyond repair, and the process must end. May be called once for each; a Redis that is away is none. */
  readonly onBroken: (failure: Failure) => void;
  /** How long Redis may take to answer, apart from the time the bytes need. */
  readonly timeoutMs?: number;
}

export const ANSWER_WITHIN_MS = 5000;
/** No way between a connector and Redis is slower; it decides how long a large job may take. */
const SLOWEST_BYTES_PER_MS = 50;
const LONGEST_PAUSE_MS = 2000;

/** Options of all connections: they come back by themselves, for ever. */
export function connectionOptions(redis: RedisAddress, timeoutMs: number) {
  const { host, port, username, password, ca } = redis;
  return {
    host,
    port,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { tls: { ca } }),
    connectTimeout: timeoutMs,
    maxLoadingRetryTime: 1000,
    // After a failover the name may lead elsewhere.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
    // The subcommand is unknown to Redis 7.0, so that no ACL can allow it.
    disableClientInfo: true,
  } satisfies RedisOptions;
}

/**
 * Tells the owner what happens to a connection, once until it is there again, and starts it anew when a greeting stays without an
 * answer. Without a listener the client would print its errors, texts and all.
 */
export function watchConnection(client: Redis, options: RedisLinkOptions, isClosing: () => boolean): void {
  let greeting: NodeJS.Timeout | undefined;
  let told: string | null = null;
  client.on('error', (error: unknown) => {
    const { code } = redisFailure(error, 'connection');
    if (code !== told) options.events.trouble('transport', code);
    told = code;
  });
  client.on('connect', () => {
    greeting = setTimeout(() => client.disconnect(true), options.timeoutMs ?? ANSWER_WITHIN_MS).unref();
  });
  client.on('close', () => clearTimeout(greeting));
  client.on('ready', () => {
    clearTimeout(greeting);
    told = null;
  });
  // Reached only when connecting itself threw: nothing tries again.
  client.on('end', () => {
    if (!isClosing()) options.onBroken(broken('a connection that comes back', 'one that ended for good'));
  });
}

export function broken(expected: string, got: string): Failure {
  return new Failure('queue/broken', { expected, got, fix: 'restart; nothing is lost' });
}

/** A connection whose commands fail within a known time: it queues nothing and repeats nothing. */
export class RedisCaller {
  readonly client: Redis;
  readonly #timeoutMs: number;
  readonly #started: Promise<unknown>;
  readonly #underway = new Set<(failure: Failure) => void>();
  #bytesUnderway = 0;
  /** Did not answer in time, and has not been connected again since. */
  #isStuck = false;
  /** Why there is no connection. */
  #lastFailure: Failure | null = null;
  #isClosed = false;

  constructor(options: RedisLinkOptions) {
    this.#timeoutMs = options.timeoutMs ?? ANSWER_WITHIN_MS;
    this.client = new Redis({
      ...connectionOptions(options.redis, this.#timeoutMs),
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
    });
    watchConnection(this.client, options, () => this.#isClosed);
    this.client.on('error', (error: unknown) => (this.#lastFailure = redisFailure(error, 'connection')));
    this.client.on('ready', () => {
      this.#isStuck = false;
      this.#lastFailure = null;
    });
    // Only the first attempt to connect is waited for: a caller may be quicker, and later ones should hear at once.
    this.#started = new Promise((resolve) => {
      this.client.once('ready', resolve).once('close', resolve);
    });
  }

  get isReady(): boolean {
    return this.client.status === 'ready' && !this.#isStuck;
  }

  /**
   * Runs `command`, which sends about `bytes`. Rejects with a `retry` failure; the command may have been carried out all the
   * same. Commands go out in the order of the calls.
   */
  async call<T>(what: string, bytes: number, command: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw closedFailure(what);
    this.#bytesUnderway += bytes;
    const limitMs = this.#timeoutMs + this.#bytesUnderway / SLOWEST_BYTES_PER_MS;
    const answer = this.#started.then(() => {
      if (this.#isClosed) throw closedFailure(what);
      return command();
    });
    try {
      return await this.#within(limitMs, answer);
    } catch (error) {
      if (this.#isClosed) throw closedFailure(what);
      // Without a connection the command's own error says no more than that.
      throw this.#lastFailure ?? redisFailure(error, what);
    } finally {
      this.#bytesUnderway -= bytes;
    }
  }

  async #within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      // What was written cannot be taken back, and answers come in order: only a new connection is clean.
      if (this.isReady) this.client.disconnect(true);
      this.#isStuck = true;
      const got = `none within ${Math.round(limitMs)} ms`;
      reject(new Failure('queue/unreachable', { expected: 'an answer', got, fix: 'check Redis and the network' }));
    }, limitMs).unref();
    this.#underway.add(reject);
    try {
      return await Promise.race([answer, givenUp]);
    } finally {
      clearTimeout(timer);
      this.#underway.delete(reject);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const giveUp of this.#underway) giveUp(closedFailure('close'));
    this.client.disconnect();
  }
}
