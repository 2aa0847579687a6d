// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { codeOf, Failure } from '../base/failure.ts';
import { QUEUE_NAME } from './bullmq-uplink.ts';
import {
  ANSWER_WITHIN_MS,
  broken,
  connectionOptions,
  watchConnection,
  type RedisLinkOptions,
} from './redis-connection.ts';
import { redisFailure } from './redis-failure.ts';

export interface ConsumerOptions {
  /** Jobs in work at a time. */
  readonly concurrency: number;
  /** A job whose holder has not been heard of for this long is given to another. */
  readonly holdMs: number;
  /** Pause before a rejected job comes again: doubled each time, up to the second. */
  readonly againAfterMs: readonly [first: number, most: number];
  /** How long jobs in work may go on after closing. */
  readonly closeMs: number;
  /** Longest time without any sign of life from fetching while Redis is there. */
  readonly fetchWithinMs: number;
}

const DEFAULTS: ConsumerOptions = {
  concurrency: 16,
  holdMs: 30_000,
  againAfterMs: [500, 30_000],
  closeMs: 10_000,
  fetchWithinMs: 120_000,
};

/** BullMQ waits for a job at most this long before it looks again. */
const LONGEST_BLOCK_MS = 10_000;
const PAUSE_MS = 1000;
const QUICK_MS = 10;
const MOST_QUICK_MISSES = 20;
const QUICK_PAUSE_MS = 50;
/** Jobs asked for at once when many wait: it saves a round trip each. */
const MOST_AHEAD = 8;
/** Names of jobs and what became of them, which nobody reads. */
const EVENTS_KEPT = 100;

/** Scripts that take jobs out go on when memory is full. Without this the archiver stops where only it can make room. */
class UnblockedRedis extends Redis {
  override defineCommand(name: string, definition: { lua: string; numberOfKeys?: number; readOnly?: boolean }): void {
    super.defineCommand(name, { ...definition, lua: `#!lua flags=allow-oom\n${definition.lua}` });
  }
}

/** What the holder of a job knows of it. */
interface Hold {
  readonly job: Job<unknown>;
  readonly token: string;
  readonly settled: Promise<void>;
}

/**
 * Fetches jobs one after the other and holds each until it is done. It uses BullMQ's worker for its connections, scripts and the
 * search for jobs whose holder died, and not its loop: that loop spins on an error answer, stores texts and stacks of errors in
 * Redis, and has ways by which a job ends as failed. Here there is none: a job is completed, or it comes again.
 */
export class JobConsumer {
  readonly #options: ConsumerOptions & RedisLinkOptions;
  readonly #take: (job: string) => Promise<void>;
  readonly #client: Redis;
  readonly #worker: Worker<unknown>;
  readonly #holds = new Map<string, Hold>();
  readonly #timer: NodeJS.Timeout;
  readonly #fetching: Promise<void>;
  #slotFreed: () => void = () => undefined;
  #lastSignMs = performance.now();
  #quickMisses = 0;
  #isTicking = false;
  #isBroken = false;
  #closed = false;

  constructor(options: RedisLinkOptions & Partial<ConsumerOptions>, take: (job: string) => Promise<void>) {
    this.#options = { ...DEFAULTS, ...options };
    this.#take = take;
    const { redis, holdMs, timeoutMs = ANSWER_WITHIN_MS } = this.#options;
    this.#client = new UnblockedRedis({
      ...connectionOptions(redis, timeoutMs),
      maxRetriesPerRequest: null,
      socketTimeout: LONGEST_BLOCK_MS + timeoutMs,
    });
    watchConnection(this.#client, { ...options, onBroken: (failure) => this.#break(failure) }, () => this.#closed);
    this.#worker = new Worker(QUEUE_NAME, null, {
      connection: this.#client,
      prefix: redis.prefix,
      lockDuration: holdMs,
      stalledInterval: holdMs / 2,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    this.#worker.on('error', (error) => this.#trouble(error));
    this.#worker.waitUntilReady().catch((error: unknown) => this.#break(broken('a worker that starts', codeOf(error))));
    void this.#worker.startStalledCheckTimer();
    this.#timer = setInterval(() => void this.#tick(), holdMs / 3);
    this.#fetching = this.#fetchAll().catch((error: unknown) =>
      this.#break(broken('fetching that goes on', codeOf(error))),
    );
  }

  get isReady(): boolean {
    return this.#client.status === 'ready' && !this.#isBroken;
  }

  async #fetchAll(): Promise<void> {
    for (let isDry = false, ahead = 1; !this.#closed;) {
      const free = this.#options.concurrency - this.#holds.size;
      if (free <= 0) await new Promise<void>((resolve) => (this.#slotFreed = resolve));
      else if (isDry) isDry = !(await this.#waitForOne());
      else {
        const asked = Math.min(ahead, free);
        const found = await this.#fetchSome(asked);
        isDry = found < asked;
        ahead = isDry ? 1 : Math.min(ahead * 2, MOST_AHEAD);
      }
    }
  }

  /** Asks without waiting for the answers. They come in the order of asking, in which Redis gave the jobs out. */
  async #fetchSome(asked: number): Promise<number> {
    const answers = Array.from({ length: asked }, () => this.#fetch(false));
    let found = 0;
    for (const answer of answers) if (await answer.then((start) => start?.())) found += 1;
    return found;
  }

  async #waitForOne(): Promise<boolean> {
    const startedAt = performance.now();
    const start = await this.#fetch(true);
    if (start !== null) return start();
    // News of delayed jobs come back at once. Many in a row, and something keeps it from waiting, such as a rate limit.
    this.#quickMisses = performance.now() - startedAt < QUICK_MS ? this.#quickMisses + 1 : 0;
    if (this.#quickMisses > MOST_QUICK_MISSES) await sleep(QUICK_PAUSE_MS, undefined, { ref: false });
    return false;
  }

  /** One job, to be started when those asked for before it were. */
  async #fetch(block: boolean): Promise<(() => boolean) | null> {
    const token = randomUUID();
    this.#lastSignMs = performance.now();
    try {
      const job = (await this.#worker.getNextJob(token, { block })) as Job<unknown> | undefined;
      this.#lastSignMs = performance.now();
      return job === undefined ? null : () => this.#hold(job, token);
    } catch (error) {
      this.#trouble(error);
      // What is no job costs no pause, or a few of them would stop the others.
      if (!(error instanceof SyntaxError)) await sleep(PAUSE_MS, undefined, { ref: false });
      return null;
    }
  }

  #hold(job: Job<unknown>, token: string): true {
    // Fetched while closing: given back by it.
    const work = this.#closed ? Promise.resolve() : this.#carryOut(job, token).finally(() => this.#release(token));
    this.#holds.set(token, { job, token, settled: work });
    return true;
  }

  #release(token: string): void {
    this.#holds.delete(token);
    this.#slotFreed();
  }

  async #carryOut(job: Job<unknown>, token: string): Promise<void> {
    try {
      // Anybody with the connector's password may have put something else here; whoever takes jobs judges that too.
      await this.#take(typeof job.data === 'string' ? job.data : JSON.stringify(job.data));
    } catch (error) {
      this.#options.events.trouble('job', codeOf(error));
      // BullMQ compares with the clock of this process.
      return this.#settle(() => job.moveToDelayed(Date.now() + this.#pauseBefore(job.attemptsStarted), token));
    }
    job.opts.removeOnComplete = true;
    return this.#settle(() => job.moveToCompleted(null, token, false));
  }

  /** After a refusal the job is left as it is: when its hold runs out it comes again. */
  async #settle(move: () => Promise<unknown>): Promise<void> {
    try {
      await move();
    } catch (error) {
      if (this.#closed) return;
      const isOthers = typeof (error as { code?: unknown }).code === 'number';
      this.#options.events.trouble('job', isOthers ? 'queue/hold-lost' : redisFailure(error, 'settle').code);
    }
  }

  #pauseBefore(deliveries: number): number {
    const [first, most] = this.#options.againAfterMs;
    return Math.min(first * 2 ** Math.min(deliveries - 1, 30), most);
  }

  /** Keeps holds alive and the queue in order, and looks whether fetching is. */
  async #tick(): Promise<void> {
    if (!this.isReady) this.#lastSignMs = performance.now();
    const isFetching = this.#holds.size < this.#options.concurrency;
    if (isFetching && performance.now() - this.#lastSignMs > this.#options.fetchWithinMs) {
      return this.#break(broken('a sign of life from fetching', `none for ${this.#options.fetchWithinMs} ms`));
    }
    if (this.#isTicking || !this.isReady) return;
    this.#isTicking = true;
    try {
      await this.#extendHolds();
      await this.#tend();
    } catch (error) {
      this.#trouble(error);
    } finally {
      this.#isTicking = false;
    }
  }

  async #extendHolds(): Promise<void> {
    const holds = [...this.#holds.values()];
    if (holds.length === 0) return;
    const ids = holds.map(({ job }) => job.id ?? '');
    await this.#worker.extendJobLocks(
      ids,
      holds.map(({ token }) => token),
      this.#options.holdMs,
    );
  }

  /** What a connector could set to stop the queue for all, and what a wiped Redis forgets. */
  async #tend(): Promise<void> {
    const meta = this.#worker.toKey('meta');
    await this.#client.hdel(meta, 'paused', 'concurrency', 'max', 'duration');
    await this.#client.hset(meta, 'opts.maxLenEvents', EVENTS_KEPT);
  }

  /** Without a connection its watcher has told already. */
  #trouble(error: unknown): void {
    if (!this.#closed && this.isReady) this.#options.events.trouble('transport', redisFailure(error, 'consume').code);
  }

  #break(failure: Failure): void {
    if (this.#closed || this.#isBroken) return;
    this.#isBroken = true;
    this.#options.onBroken(failure);
  }

  /** Takes no more jobs, lets those in work finish for a while, and gives back the rest. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#slotFreed();
    // Closes the connection that waits for jobs; the other one is ours and still needed.
    await this.#worker.close(true);
    // What was asked for before still comes, and would be held by nobody.
    await atMost(PAUSE_MS, this.#fetching);
    await atMost(this.#options.closeMs, Promise.all([...this.#holds.values()].map(({ settled }) => settled)));
    // Each goes to the front of the line, so the last in comes first.
    const left = [...this.#holds.values()].reverse();
    await atMost(PAUSE_MS, Promise.all(left.map(({ job, token }) => this.#settle(() => job.moveToWait(token)))));
    clearInterval(this.#timer);
    this.#client.disconnect();
  }
}

async function atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  const stop = new AbortController();
  const late = sleep(limitMs, undefined, { signal: stop.signal }).catch(() => undefined);
  await Promise.race([work, late]);
  stop.abort();
}
