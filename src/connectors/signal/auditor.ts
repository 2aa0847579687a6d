// SPDX-License-Identifier: AGPL-3.0-or-later
import { isFailure } from '../../base/failure.ts';
import type { ConnectorEvents } from '../connector.ts';
import { missedByWebhook, pruneIndex, reportIntakes, sweepGaps, sweepReferences, volumeShare } from './audit.ts';
import type { SignalConfig } from './config.ts';
import type { AccountLane } from './lane.ts';
import { encodeState } from '../state.ts';
import { Waker } from '../waker.ts';

export interface AuditorParts {
  readonly config: SignalConfig;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
}

/** What is done from time to time with what was captured: look for what is missing, and report. */
export class Auditor {
  readonly #parts: AuditorParts;
  readonly #lanes: ReadonlyMap<string, AccountLane>;
  #missedUntilMs: number;
  #reportedMs: number;
  #aliveMs = 0;
  #isFilling = false;

  constructor(parts: AuditorParts, lanes: ReadonlyMap<string, AccountLane>) {
    this.#parts = parts;
    this.#lanes = lanes;
    this.#missedUntilMs = parts.clock();
    this.#reportedMs = parts.clock();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config } = this.#parts;
    const sleeper = new Waker();
    while (!signal.aborted) {
      await this.#round().catch((error: unknown) => {
        if (isFailure(error, 'fatal')) throw error;
        // A look that fails is repeated; capture goes on meanwhile.
        if (!signal.aborted) this.#parts.events.trouble('audit', error);
      });
      await sleeper.sleep(config.intervals.sweep, signal);
    }
  }

  /** The last words of a session. */
  async end(): Promise<void> {
    const nowMs = this.#parts.clock();
    for (const lane of this.#lanes.values()) {
      await reportIntakes(lane, nowMs, nowMs);
      await lane.submit({ session: [{ name: 'alive', value: encodeState({ atMs: nowMs }) }] });
    }
  }

  async #round(): Promise<void> {
    const { config, clock } = this.#parts;
    const nowMs = clock();
    for (const lane of this.#lanes.values()) {
      await sweepReferences(lane, config, nowMs);
      await sweepGaps(lane, config, nowMs);
      await pruneIndex(lane, config, nowMs);
    }
    this.#webhook(nowMs);
    await this.#alive(nowMs);
    await this.#report(nowMs);
    await this.#volume();
  }

  /** Counted once it had time to arrive by webhook too. */
  #webhook(nowMs: number): void {
    const { webhook, journal, websocket, thresholds } = this.#parts.config;
    if (webhook === undefined || (journal === undefined && !websocket)) return;
    const untilMs = nowMs - thresholds.webhookGrace;
    if (untilMs <= this.#missedUntilMs) return;
    for (const lane of this.#lanes.values()) {
      const missed = missedByWebhook(lane, this.#missedUntilMs, untilMs);
      if (missed > 0) lane.alarm('webhook-missed', missed);
    }
    this.#missedUntilMs = untilMs;
  }

  async #alive(nowMs: number): Promise<void> {
    if (nowMs - this.#aliveMs < this.#parts.config.intervals.alive) return;
    this.#aliveMs = nowMs;
    const session = [{ name: 'alive', value: encodeState({ atMs: nowMs }) }];
    for (const lane of this.#lanes.values()) await lane.submit({ session });
  }

  async #report(nowMs: number): Promise<void> {
    if (nowMs - this.#reportedMs < this.#parts.config.intervals.report) return;
    this.#reportedMs = nowMs;
    // The slowest intake has had time by then.
    const toMs = nowMs - this.#parts.config.thresholds.webhookGrace;
    for (const lane of this.#lanes.values()) await reportIntakes(lane, toMs, nowMs);
  }

  async #volume(): Promise<void> {
    const { config, events } = this.#parts;
    if (config.journal === undefined) return;
    const share = await volumeShare(config.journal);
    const isFilling = share !== null && share >= config.thresholds.volumeAlarm;
    if (isFilling && !this.#isFilling) events.alarm(null, 'volume-filling', Math.round(share * 100));
    this.#isFilling = isFilling;
  }
}
