// SPDX-License-Identifier: AGPL-3.0-or-later
import { isFailure } from '../../../base/failure.ts';
import type { AccountLane } from '../lane.ts';
import { Waker } from '../waker.ts';

/** What one step came to. `later`: again after a growing pause. */
export type Outcome<Work> =
  | { readonly to: 'work'; readonly work: Work }
  | { readonly to: 'wait'; readonly ms: number; readonly work?: Work }
  | { readonly to: 'later' }
  | { readonly to: 'end' };

export interface QueuedWork {
  /** Of its entry in the session state. */
  readonly name: string;
  readonly addedMs: number;
}

export interface Steps<Work extends QueuedWork> {
  take(lane: AccountLane, work: Work, signal: AbortSignal): Promise<Outcome<Work>>;
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
  readonly isLate: (work: Work, latestMs: number) => boolean;
  readonly clock: () => number;
  readonly onLate: (account: string, holds: boolean) => void;
  readonly onTrouble: (error: unknown) => void;
  readonly onFatal: (error: unknown) => void;
}

interface Item<Work> {
  readonly lane: AccountLane;
  work: Work;
  /** Earliest next step, by the monotonic clock. */
  nextMs: number;
  attempts: number;
  busy: boolean;
  /** What became known while a step was under way; takes the place of what the step comes to. */
  news: Work | null;
}

const LONGEST_PAUSE_MS = 15 * 60_000;
const MOST_DOUBLINGS = 20;

/** Takes works through their steps, a few at a time, oldest first. What is in it is in the session state too: it may forget everything. */
export class WorkQueue<Work extends QueuedWork> {
  readonly #parts: QueueParts<Work>;
  readonly #items = new Map<string, Item<Work>>();
  readonly #waker = new Waker();
  #busy = 0;
  #late: ReadonlySet<string> = new Set();

  constructor(parts: QueueParts<Work>) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#items.size;
  }

  add(lane: AccountLane, work: Work): void {
    const key = keyOf(lane, work);
    if (this.#items.has(key)) return;
    this.#items.set(key, { lane, work, nextMs: 0, attempts: 0, busy: false, news: null });
    this.#waker.wake();
  }

  /** Works of an account. */
  works(lane: AccountLane): Work[] {
    return [...this.#items.values()].filter((item) => item.lane.account === lane.account).map(({ work }) => work);
  }

  /** Something new is known about a work: its next step is now, or as soon as the one under way has ended. */
  replace(lane: AccountLane, work: Work): void {
    const item = this.#items.get(keyOf(lane, work));
    if (item === undefined) return;
    if (item.busy) item.news = work;
    else Object.assign(item, { work, nextMs: 0, attempts: 0 });
    this.#waker.wake();
  }

  /** Ends when the signal aborts and what was under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const never = new AbortController().signal;
    while (!signal.aborted || this.#busy > 0) {
      if (!signal.aborted) for (const [key, item] of this.#due()) void this.#work(key, item, signal);
      this.#tellLate();
      await this.#waker.sleep(this.#pauseMs(), signal.aborted ? never : signal);
    }
    this.#items.clear();
  }

  #due(): [string, Item<Work>][] {
    const free = this.#parts.options.atOnce - this.#busy;
    if (free <= 0) return [];
    const nowMs = performance.now();
    return [...this.#items]
      .filter(([, { busy, nextMs }]) => !busy && nextMs <= nowMs)
      .toSorted(([, a], [, b]) => a.work.addedMs - b.work.addedMs)
      .slice(0, free);
  }

  #pauseMs(): number {
    const { atOnce, backlogMs } = this.#parts.options;
    if (this.#busy >= atOnce) return LONGEST_PAUSE_MS;
    let nextMs = Infinity;
    for (const item of this.#items.values()) if (!item.busy) nextMs = Math.min(nextMs, item.nextMs);
    return Math.min(backlogMs, Math.max(0, nextMs - performance.now()));
  }

  async #work(key: string, item: Item<Work>, signal: AbortSignal): Promise<void> {
    item.busy = true;
    this.#busy += 1;
    try {
      this.#settle(key, item, await this.#parts.steps.take(item.lane, item.work, signal));
    } catch (error) {
      if (isFailure(error, 'fatal')) this.#parts.onFatal(error);
      else if (!signal.aborted) {
        this.#parts.onTrouble(error);
        this.#settle(key, item, { to: 'later' });
      }
    } finally {
      item.busy = false;
      this.#busy -= 1;
      this.#waker.wake();
    }
  }

  #settle(key: string, item: Item<Work>, outcome: Outcome<Work>): void {
    const nowMs = performance.now();
    const { news } = item;
    item.news = null;
    if (news !== null && outcome.to !== 'end') {
      Object.assign(item, { work: news, attempts: 0, nextMs: 0 });
      return;
    }
    switch (outcome.to) {
      case 'work':
        Object.assign(item, { work: outcome.work, attempts: 0, nextMs: 0 });
        break;
      case 'wait':
        Object.assign(item, { work: outcome.work ?? item.work, attempts: 0, nextMs: nowMs + outcome.ms });
        break;
      case 'later':
        item.nextMs = nowMs + Math.min(this.#parts.options.retryMs * 2 ** item.attempts, LONGEST_PAUSE_MS);
        item.attempts = Math.min(item.attempts + 1, MOST_DOUBLINGS);
        break;
      case 'end':
        this.#items.delete(key);
        break;
    }
  }

  #tellLate(): void {
    const { clock, options, isLate, onLate } = this.#parts;
    const latestMs = clock() - options.backlogMs;
    const late = new Set<string>();
    for (const { lane, work } of this.#items.values()) if (isLate(work, latestMs)) late.add(lane.account);
    for (const account of late.union(this.#late)) onLate(account, late.has(account));
    this.#late = late;
  }
}

function keyOf(lane: AccountLane, work: QueuedWork): string {
  return `${lane.account}\n${work.name}`;
}
