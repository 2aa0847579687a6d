// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../../base/failure.ts';
import { fields, text } from '../json.ts';
import type { AccountLane } from '../lane.ts';
import { gapCapture } from '../own-records.ts';
import type { Linked } from '../../state.ts';
import type { WatchParts } from './parts.ts';

/** Failures that show that the daemon, or the whole container, is not there; a hanging call shows nothing. */
const AWAY: ReadonlySet<string> = new Set(['signal/daemon-away', 'signal/unreachable']);

/** Whether the back end answers. `/v1/health` is never asked: it is 204 also with signal-cli dead. */
export class BackendWatch {
  readonly #parts: WatchParts;
  readonly #lanes: ReadonlyMap<string, AccountLane>;
  #goodMs: number;
  #wasAway = false;
  #isOut = false;
  #restartMs: number | null = null;

  constructor(parts: WatchParts, lanes: ReadonlyMap<string, AccountLane>) {
    this.#parts = parts;
    this.#lanes = lanes;
    this.#goodMs = parts.clock();
  }

  /** The numbers that signal-cli has; null if the back end does not answer. */
  async accounts(signal: AbortSignal): Promise<ReadonlySet<string> | null> {
    try {
      const accounts = await this.#parts.rest.accounts(signal);
      await this.#answered();
      return accounts;
    } catch (error) {
      if (!(error instanceof Failure) || signal.aborted) throw error;
      await this.#failed(error);
      return null;
    }
  }

  /** Anything but json-rpc mode has no webhook, no journal, and loses whole batches. */
  async checkMode(signal: AbortSignal): Promise<void> {
    const { json } = await this.#parts.rest.get('v1/about', signal);
    const isRight = text(fields(json)?.['mode'])?.startsWith('json-rpc') === true;
    this.#parts.health.setAll('wrong-mode', !isRight);
    if (!isRight) this.#parts.events.alarm(null, 'wrong-mode');
  }

  /**
   * signal-cli was started again. What it had decrypted and not yet handed over when it ended is lost without a trace, so every
   * restart is a gap with both ends, until references show more.
   */
  async restarted(): Promise<void> {
    const { clock, config, events } = this.#parts;
    const nowMs = clock();
    if (this.#restartMs !== null && nowMs - this.#restartMs < config.thresholds.outage) return;
    this.#restartMs = nowMs;
    if ([...this.#lanes.values()].some(isLinked)) events.alarm(null, 'backend-restarted');
    const about = { cause: 'restart', scope: 'account', state: 'final', detail: 'signal-cli' } as const;
    await this.#each((lane) => [gapCapture(lane.account, nowMs, { ...about, fromMs: this.#goodMs, toMs: nowMs })]);
  }

  async #answered(): Promise<void> {
    const { clock, health } = this.#parts;
    const nowMs = clock();
    health.setAll('backend-unreachable', false);
    if (this.#wasAway) await this.restarted();
    await this.#each((lane) => {
      const open = lane.gaps.find('backend-outage');
      if (open === undefined) return [];
      const { cause, scope, id } = open;
      return [gapCapture(lane.account, nowMs, { cause, scope, state: 'closed', ref: id, toMs: nowMs })];
    });
    this.#wasAway = false;
    this.#isOut = false;
    this.#goodMs = nowMs;
  }

  async #failed(error: Failure): Promise<void> {
    const { clock, config, events, health } = this.#parts;
    const nowMs = clock();
    events.trouble('watch', error);
    this.#wasAway ||= AWAY.has(error.code);
    health.setAll('backend-unreachable', true);
    if (this.#isOut || nowMs - this.#goodMs < config.thresholds.outage) return;
    this.#isOut = true;
    events.alarm(null, 'backend-outage');
    const about = { cause: 'backend-outage', scope: 'account', state: 'open', fromMs: this.#goodMs } as const;
    await this.#each((lane) =>
      lane.gaps.find('backend-outage') === undefined ? [gapCapture(lane.account, nowMs, about)] : [],
    );
  }

  async #each(gapsOf: (lane: AccountLane) => ReturnType<typeof gapCapture>[]): Promise<void> {
    for (const lane of [...this.#lanes.values()].filter(isLinked)) {
      const captures = gapsOf(lane);
      if (captures.length > 0) await lane.submit({ captures });
    }
  }
}

/** Nothing is expected for an account that was never linked. */
function isLinked(lane: AccountLane): boolean {
  return lane.read<Linked>('linked') !== null;
}
