// SPDX-License-Identifier: AGPL-3.0-or-later
import type { SessionChange } from '../../connector.ts';
import type { AccountLane } from '../lane.ts';
import { WorkQueue, type QueueOptions } from '../media/work-queue.ts';
import type { FollowUp } from '../meaning.ts';
import type { Understood } from '../normalise/input.ts';
import { HistorySteps, type HistoryStepParts } from './steps.ts';
import { decodeHistoryWork, encodeHistoryWork, historyWork, type HistoryWork } from './work.ts';

export interface HistoryQueueParts extends HistoryStepParts {
  readonly queue: QueueOptions;
  readonly clock: () => number;
  readonly onLate: (account: string, holds: boolean) => void;
  readonly onTrouble: (error: unknown) => void;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Brings the history that the phone sends into the archive. The client would download it while it holds up every message behind it, having
 * acknowledged it before; here its announcement is durable first, and messages go on.
 */
export class HistoryQueue implements FollowUp {
  readonly #queue: WorkQueue<HistoryWork>;

  constructor(parts: HistoryQueueParts) {
    const { clock, onLate, onTrouble, onFatal, queue: options } = parts;
    this.#queue = new WorkQueue({
      steps: new HistorySteps(parts),
      options,
      load: (lane, name) => decodeHistoryWork(lane.sink.session(name)),
      clock,
      onLate,
      onTrouble,
      onFatal,
    });
  }

  /** Goes on with what an earlier run of the account left. */
  resume(lane: AccountLane): void {
    for (const name of lane.sink.sessionNames('history/')) {
      const work = decodeHistoryWork(lane.sink.session(name));
      if (work !== null) this.#queue.add(lane, work);
    }
  }

  plan(lane: AccountLane, { history }: Understood): readonly SessionChange[] {
    if (history === null) return [];
    const work = historyWork(history, lane.nowMs);
    return lane.sink.session(work.name) === null ? [{ name: work.name, value: encodeHistoryWork(work) }] : [];
  }

  begin(lane: AccountLane, { history }: Understood): void {
    if (history === null) return;
    const work = decodeHistoryWork(lane.sink.session(historyWork(history, lane.nowMs).name));
    if (work !== null) this.#queue.add(lane, work);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#queue.run(signal);
  }
}
