// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, isFailure, type Failure } from '../../base/failure.ts';
import type { ConnectorEvents } from '../connector.ts';
import { AttachmentSteps, isOversized, type AttachmentOptions, type Outcome, type Step } from './attachment-steps.ts';
import type { Work } from './attachment-work.ts';
import type { HealthBook } from '../health.ts';
import type { HealthReason } from './reasons.ts';
import type { AccountLane } from './lane.ts';
import type { Rest } from './rest.ts';
import { Waker } from '../waker.ts';

export interface AttachmentParts {
  readonly rest: Rest;
  readonly options: AttachmentOptions & {
    readonly atOnce: number;
    readonly retryMs: number;
    readonly backlogMs: number;
  };
  readonly clock: () => number;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
  readonly onFatal: (error: Failure) => void;
}

interface Item {
  readonly lane: AccountLane;
  work: Work;
  /** Earliest next attempt, by the monotonic clock. */
  nextMs: number;
  attempts: number;
  busy: boolean;
  oddSinceMs: number | null;
}

const LONGEST_PAUSE_MS = 15 * 60_000;
const MOST_DOUBLINGS = 20;

/**
 * Brings the files of captured messages into the archive, one or two at a time: fetch, seal, then remove upstream. A file that is
 * not there, or not whole, is asked for again for a while; then it is a gap.
 */
export class AttachmentWorker {
  readonly #parts: AttachmentParts;
  readonly #steps: AttachmentSteps;
  readonly #items = new Map<string, Item>();
  readonly #waker = new Waker();
  #busy = 0;
  #late: ReadonlySet<string> = new Set();

  constructor(parts: AttachmentParts) {
    const { rest, options, clock } = parts;
    this.#parts = parts;
    this.#steps = new AttachmentSteps({ rest, options, clock, isWanted: (id) => this.#isWanted(id) });
  }

  add(lane: AccountLane, work: Work): void {
    const key = `${lane.account}\n${work.name}`;
    if (this.#items.has(key)) return;
    this.#items.set(key, { lane, work, nextMs: 0, attempts: 0, busy: false, oddSinceMs: null });
    this.#waker.wake();
  }

  /** Ends when the signal aborts and what was under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const never = new AbortController().signal;
    while (!signal.aborted || this.#busy > 0) {
      if (!signal.aborted) for (const [key, item] of this.#due()) void this.#work(key, item, signal);
      this.#tellBacklog();
      await this.#waker.sleep(this.#pauseMs(), signal.aborted ? never : signal);
    }
  }

  #due(): [string, Item][] {
    const nowMs = performance.now();
    return [...this.#items]
      .filter(([, { busy, nextMs }]) => !busy && nextMs <= nowMs)
      .toSorted(([, a], [, b]) => a.work.addedMs - b.work.addedMs)
      .slice(0, Math.max(0, this.#parts.options.atOnce - this.#busy));
  }

  #pauseMs(): number {
    if (this.#busy >= this.#parts.options.atOnce) return LONGEST_PAUSE_MS;
    const next = [...this.#items.values()].filter(({ busy }) => !busy).map(({ nextMs }) => nextMs);
    return Math.min(this.#parts.options.backlogMs, Math.max(0, Math.min(...next) - performance.now()));
  }

  async #work(key: string, item: Item, signal: AbortSignal): Promise<void> {
    item.busy = true;
    this.#busy += 1;
    const step: Step = { lane: item.lane, work: item.work, oddForMs: () => this.#oddForMs(item) };
    try {
      this.#settle(key, item, await this.#steps.take(step, signal));
    } catch (error) {
      if (isFailure(error, 'fatal')) this.#parts.onFatal(error);
      else if (!signal.aborted) this.#settle(key, item, await this.#failed(step, error));
    } finally {
      item.busy = false;
      this.#busy -= 1;
      this.#waker.wake();
    }
  }

  #settle(key: string, item: Item, outcome: Outcome): void {
    switch (outcome.to) {
      case 'phase':
        Object.assign(item, { work: outcome.work, attempts: 0, oddSinceMs: null, nextMs: 0 });
        break;
      case 'wait':
        item.nextMs = performance.now() + outcome.ms;
        break;
      case 'later':
        item.nextMs = performance.now() + Math.min(this.#parts.options.retryMs * 2 ** item.attempts, LONGEST_PAUSE_MS);
        item.attempts = Math.min(item.attempts + 1, MOST_DOUBLINGS);
        break;
      case 'end':
        this.#items.delete(key);
        break;
    }
  }

  async #failed(step: Step, error: unknown): Promise<Outcome> {
    const refused = isOversized(error) || isFailure(error, 'refuse');
    if (!refused) {
      this.#parts.events.trouble('attachment', error);
      return { to: 'later' };
    }
    step.lane.alarm(isOversized(error) ? 'attachment-oversized' : 'refused-by-spool');
    const cause = isOversized(error) ? 'oversized' : 'attachment-missing';
    return this.#steps.giveUp(step, cause, 'gone', codeOf(error)).catch((): Outcome => ({ to: 'later' }));
  }

  #isWanted(id: string): boolean {
    return [...this.#items.values()].some(
      ({ work }) => work.attachment.id === id && work.phase !== 'delete' && work.phase !== 'gone',
    );
  }

  #oddForMs(item: Item): number {
    const nowMs = this.#parts.clock();
    item.oddSinceMs ??= nowMs;
    return nowMs - item.oddSinceMs;
  }

  #tellBacklog(): void {
    const { clock, options, health } = this.#parts;
    const latestMs = clock() - options.backlogMs;
    const late = [...this.#items.values()].filter(({ work }) => work.phase === 'fetch' && work.addedMs <= latestMs);
    const accounts = new Set(late.map(({ lane }) => lane.account));
    for (const account of accounts.union(this.#late)) health.set(account, 'attachment-backlog', accounts.has(account));
    this.#late = accounts;
  }
}
