// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../base/failure.ts';
import { closedFailure, type LinkEvents } from './link.ts';

export interface LineLimits {
  /** Jobs in work at a time. */
  readonly concurrency: number;
  /** Jobs that wait or are in work; beyond this, or beyond the bytes, senders wait. */
  readonly mostJobs: number;
  readonly mostBytes: number;
  /** Pause before a rejected job comes again: doubled each time, up to the second. */
  readonly againAfterMs: readonly [first: number, most: number];
  /** How long jobs in work may go on after closing. */
  readonly closeMs: number;
}

export const LINE_LIMITS: LineLimits = {
  concurrency: 16,
  mostJobs: 256,
  mostBytes: 64 * 1024 * 1024,
  againAfterMs: [500, 30_000],
  closeMs: 10_000,
};

type Take = (job: string) => Promise<void>;

interface WaitingJob {
  readonly id: string;
  readonly job: string;
  deliveries: number;
}

interface Sender {
  readonly id: string;
  readonly job: string;
  readonly enter: () => void;
}

/** A job in work, until its consumer gives it back. */
interface Delivery {
  readonly waiting: WaitingJob;
  isGivenBack: boolean;
}

/** Jobs in line within one process. Each takes up room from its entry until it is done, also while it pauses. */
export class JobLine {
  readonly limits: LineLimits;
  readonly #events: LinkEvents;
  readonly #jobs = new Map<string, WaitingJob>();
  readonly #ready: WaitingJob[] = [];
  readonly #senders: Sender[] = [];
  readonly #consumers = new Set<LineConsumer>();
  #bytes = 0;
  #isMoving = false;

  constructor(limits: LineLimits, events: LinkEvents) {
    this.limits = limits;
    this.#events = events;
  }

  /** Resolves when the job is in line; senders without room wait in line for the line. Rejects when `closing` aborts first. */
  async enter(id: string, job: string, closing: AbortSignal): Promise<void> {
    if (closing.aborted) throw closedFailure('send');
    if (this.#jobs.has(id)) return;
    if (this.#senders.length === 0 && this.#hasRoomFor(job)) return this.#admit(id, job);
    await new Promise<void>((resolve, reject) => {
      const sender: Sender = { id, job, enter: () => resolve(closing.removeEventListener('abort', leave)) };
      const leave = (): void => {
        this.#senders.splice(this.#senders.indexOf(sender), 1);
        reject(closedFailure('send'));
      };
      closing.addEventListener('abort', leave);
      this.#senders.push(sender);
    });
  }

  consumer(): LineConsumer {
    const consumer: LineConsumer = new LineConsumer(this, this.#events, () => this.#consumers.delete(consumer));
    this.#consumers.add(consumer);
    return consumer;
  }

  #hasRoomFor(job: string): boolean {
    const { mostJobs, mostBytes } = this.limits;
    return this.#jobs.size === 0 || (this.#jobs.size < mostJobs && this.#bytes + job.length <= mostBytes);
  }

  #admit(id: string, job: string): void {
    if (this.#jobs.has(id)) return;
    const waiting = { id, job, deliveries: 0 };
    this.#jobs.set(id, waiting);
    this.#bytes += job.length;
    this.#ready.push(waiting);
    this.move();
  }

  done({ id, job }: WaitingJob): void {
    this.#jobs.delete(id);
    this.#bytes -= job.length;
    for (let next = this.#senders[0]; next !== undefined && this.#hasRoomFor(next.job); next = this.#senders[0]) {
      this.#senders.shift();
      this.#admit(next.id, next.job);
      next.enter();
    }
  }

  again(waiting: WaitingJob): void {
    const [first, most] = this.limits.againAfterMs;
    const pauseMs = Math.min(first * 2 ** Math.min(waiting.deliveries - 1, 30), most);
    setTimeout(() => {
      this.#ready.push(waiting);
      this.move();
    }, pauseMs).unref();
  }

  giveBack(waiting: readonly WaitingJob[]): void {
    this.#ready.unshift(...waiting);
    this.move();
  }

  /** Gives ready jobs to whoever can take them: in a turn of its own, so that no `take` runs within a `send`. */
  move(): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    setImmediate(() => {
      this.#isMoving = false;
      for (const consumer of this.#consumers) {
        while (consumer.hasSlot) {
          const next = this.#ready.shift();
          if (next === undefined) return;
          consumer.deliver(next);
        }
      }
    });
  }
}

/** Who takes jobs out of a line. */
export class LineConsumer {
  readonly #line: JobLine;
  readonly #events: LinkEvents;
  readonly #onClosed: () => void;
  readonly #inWork = new Map<Delivery, Promise<void>>();
  #take: Take | null = null;
  #isClosing = false;
  #isClosed = false;

  constructor(line: JobLine, events: LinkEvents, onClosed: () => void) {
    this.#line = line;
    this.#events = events;
    this.#onClosed = onClosed;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Only when no job is in work any more: until then they may answer. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get hasSlot(): boolean {
    return this.#take !== null && !this.#isClosing && this.#inWork.size < this.#line.limits.concurrency;
  }

  start(take: Take): void {
    this.#take = take;
    this.#line.move();
  }

  deliver(waiting: WaitingJob): void {
    const delivery = { waiting, isGivenBack: false };
    waiting.deliveries += 1;
    const work = this.#carryOut(delivery).finally(() => {
      this.#inWork.delete(delivery);
      this.#line.move();
    });
    this.#inWork.set(delivery, work);
  }

  async #carryOut(delivery: Delivery): Promise<void> {
    try {
      await this.#take?.(delivery.waiting.job);
      if (!delivery.isGivenBack) this.#line.done(delivery.waiting);
    } catch (error) {
      this.#events.trouble('job', codeOf(error));
      if (!delivery.isGivenBack) this.#line.again(delivery.waiting);
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const stop = new AbortController();
    const late = sleep(this.#line.limits.closeMs, undefined, { signal: stop.signal }).catch(() => undefined);
    await Promise.race([late, Promise.all(this.#inWork.values())]);
    stop.abort();
    for (const delivery of this.#inWork.keys()) delivery.isGivenBack = true;
    this.#line.giveBack([...this.#inWork.keys()].map(({ waiting }) => waiting));
    this.#isClosed = true;
    this.#onClosed();
  }
}
