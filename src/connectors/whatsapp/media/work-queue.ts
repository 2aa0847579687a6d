// SPDX-License-Identifier: AGPL-3.0-or-later
import { isFailure } from '../../../base/failure.ts';
import type { AccountLane } from '../lane.ts';
import { Waker } from '../../waker.ts';
import { Heap } from './heap.ts';

/** What one step came to. `later`: again after a growing pause. Works that are given are in the session state already. */
export type Outcome =
  | { readonly to: 'next' }
  | { readonly to: 'wait'; readonly ms: number }
  | { readonly to: 'later' }
  | { readonly to: 'end' };

export interface QueuedWork {
  /** Of its entry in the session state. */
  readonly name: string;
  readonly addedMs: number;
}

export interface Steps<Work extends QueuedWork> {
  take(lane: AccountLane, work: Work, signal: AbortSignal): Promise<Outcome>;
}

export interface QueueOptions {
  readonly atOnce: number;
  readonly retryMs: number;
  /** Work older than this is late. */
  readonly backlogMs: number;
}

export interface QueueParts<Work extends QueuedWork> {
  readonly steps: Steps<Work>;
  readonly options: QueueOptions;
  /** Reads a work from the session state; null if it is done. */
  readonly load: (lane: AccountLane, name: string) => Work | null;
  readonly clock: () => number;
  readonly onLate: (account: string, holds: boolean) => void;
  readonly onTrouble: (error: unknown) => void;
  readonly onFatal: (error: unknown) => void;
}

interface Item<Work> {
  readonly key: string;
  readonly lane: AccountLane;
  readonly name: string;
  readonly addedMs: number;
  /** What is known and not in the session state. */
  news: Work | null;
  attempts: number;
  busy: boolean;
  /** Grows whenever it is scheduled anew; what was scheduled before no longer counts. */
  turn: number;
}

interface Scheduled<Work> {
  readonly item: Item<Work>;
  readonly turn: number;
  /** By the monotonic clock. */
  readonly atMs: number;
}

const LONGEST_PAUSE_MS = 15 * 60_000;
const MOST_DOUBLINGS = 20;
const LATE_EVERY_MS = 1000;

/**
 * Takes works through their steps, a few at a time, oldest first. The works themselves are in the session state: here is only when
 * whose turn is, so that a hundred thousand of them weigh little.
 */
export class WorkQueue<Work extends QueuedWork> {
  readonly #parts: QueueParts<Work>;
  readonly #items = new Map<string, Item<Work>>();
  readonly #ready = new Heap<Scheduled<Work>>(({ item }) => item.addedMs);
  readonly #waiting = new Heap<Scheduled<Work>>(({ atMs }) => atMs);
  readonly #waker = new Waker();
  #busy = 0;
  #late: ReadonlySet<string> = new Set();
  #toldLateMs = -Infinity;

  constructor(parts: QueueParts<Work>) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#items.size;
  }

  add(lane: AccountLane, { name, addedMs }: QueuedWork): void {
    const key = `${lane.account}\n${name}`;
    if (this.#items.has(key)) return;
    const item: Item<Work> = { key, lane, name, addedMs, news: null, attempts: 0, busy: false, turn: 0 };
    this.#items.set(key, item);
    this.#schedule(item, 0);
    this.#waker.wake();
  }

  /** Something new is known about a work: its next step is now, or as soon as the one under way has ended. */
  replace(lane: AccountLane, work: Work): void {
    const item = this.#items.get(`${lane.account}\n${work.name}`);
    if (item === undefined) return;
    item.news = work;
    item.attempts = 0;
    if (!item.busy) this.#schedule(item, 0);
    this.#waker.wake();
  }

  /** Ends when the signal aborts and what was under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const never = new AbortController().signal;
    while (!signal.aborted || this.#busy > 0) {
      if (!signal.aborted)
        for (let item = this.#next(); item !== null; item = this.#next()) void this.#step(item, signal);
      this.#tellLate();
      await this.#waker.sleep(this.#pauseMs(), signal.aborted ? never : signal);
    }
    this.#items.clear();
  }

  #schedule(item: Item<Work>, inMs: number): void {
    item.turn += 1;
    const scheduled = { item, turn: item.turn, atMs: performance.now() + inMs };
    if (inMs > 0) this.#waiting.push(scheduled);
    else this.#ready.push(scheduled);
  }

  /** The oldest work whose turn it is, if another may be under way. */
  #next(): Item<Work> | null {
    const nowMs = performance.now();
    for (let first = this.#waiting.first; first !== undefined && first.atMs <= nowMs; first = this.#waiting.first) {
      this.#waiting.pop();
      if (first.turn === first.item.turn) this.#ready.push(first);
    }
    if (this.#busy >= this.#parts.options.atOnce) return null;
    for (let first = this.#ready.pop(); first !== undefined; first = this.#ready.pop()) {
      if (first.turn === first.item.turn && !first.item.busy) return first.item;
    }
    return null;
  }

  #pauseMs(): number {
    const { backlogMs } = this.#parts.options;
    const atMs = this.#waiting.first?.atMs ?? Infinity;
    const lateMs = this.#late.size > 0 ? LATE_EVERY_MS : LONGEST_PAUSE_MS;
    return Math.min(backlogMs, lateMs, Math.max(0, atMs - performance.now()));
  }

  async #step(item: Item<Work>, signal: AbortSignal): Promise<void> {
    item.busy = true;
    this.#busy += 1;
    const { news } = item;
    try {
      const work = news ?? this.#parts.load(item.lane, item.name);
      const outcome = work === null ? ({ to: 'end' } as const) : await this.#parts.steps.take(item.lane, work, signal);
      this.#settle(item, outcome, news);
    } catch (error) {
      if (isFailure(error, 'fatal')) this.#parts.onFatal(error);
      else if (!signal.aborted) {
        this.#parts.onTrouble(error);
        this.#settle(item, { to: 'later' }, news);
      }
    } finally {
      item.busy = false;
      this.#busy -= 1;
      this.#waker.wake();
    }
  }

  #settle(item: Item<Work>, outcome: Outcome, news: Work | null): void {
    if (outcome.to === 'end') {
      item.turn += 1;
      this.#items.delete(item.key);
      return;
    }
    const isNewer = item.news !== news;
    // What was known beside the session state went into the step; if the step came to nothing, it is still true.
    if (!isNewer && outcome.to !== 'later') item.news = null;
    if (isNewer || outcome.to === 'next') {
      item.attempts = 0;
      this.#schedule(item, 0);
    } else if (outcome.to === 'wait') {
      item.attempts = 0;
      this.#schedule(item, Math.max(1, outcome.ms));
    } else {
      this.#schedule(item, Math.min(this.#parts.options.retryMs * 2 ** item.attempts, LONGEST_PAUSE_MS));
      item.attempts = Math.min(item.attempts + 1, MOST_DOUBLINGS);
    }
  }

  #tellLate(): void {
    const { clock, options, onLate } = this.#parts;
    const nowMs = performance.now();
    if (nowMs - this.#toldLateMs < Math.min(options.backlogMs, LATE_EVERY_MS)) return;
    this.#toldLateMs = nowMs;
    const latestMs = clock() - options.backlogMs;
    const late = new Set<string>();
    for (const { lane, addedMs } of this.#items.values()) if (addedMs <= latestMs) late.add(lane.account);
    for (const account of late.union(this.#late)) onLate(account, late.has(account));
    this.#late = late;
  }
}
