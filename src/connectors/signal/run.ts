// SPDX-License-Identifier: AGPL-3.0-or-later
import { isFailure } from '../../base/failure.ts';
import type { GapCapture, SessionDeps } from '../connector.ts';
import { AttachmentWorker } from './attachments.ts';
import { Auditor } from './auditor.ts';
import { hasLosslessIntake, type SignalConfig } from './config.ts';
import type { HealthBook } from '../health.ts';
import type { HealthReason } from './reasons.ts';
import { JournalIntake } from './intakes/journal.ts';
import { WebhookIntake } from './intakes/webhook.ts';
import { WebSocketIntake } from './intakes/websocket.ts';
import { AccountLane } from './lane.ts';
import { gapCapture } from './own-records.ts';
import type { Rest } from './rest.ts';
import { Watcher } from './watch/watcher.ts';

export interface RunParts {
  readonly config: SignalConfig;
  readonly deps: SessionDeps;
  readonly health: HealthBook<HealthReason>;
  readonly rest: Rest;
  readonly signal: AbortSignal;
  readonly fail: (error: unknown) => void;
}

/** One run of a session: its lanes, and everything that fills or watches them. */
export class SignalRun {
  readonly #parts: RunParts;
  readonly #lanes = new Map<string, AccountLane>();
  readonly #worker: AttachmentWorker;
  readonly #watcher: Watcher;
  readonly #auditor: Auditor;
  readonly #webhook: WebhookIntake | null;

  constructor(parts: RunParts) {
    const { config, deps, health, rest, fail } = parts;
    const { clock, events } = deps;
    this.#parts = parts;
    this.#worker = new AttachmentWorker({
      rest,
      options: attachmentOptions(config),
      clock,
      events,
      health,
      onFatal: fail,
    });
    for (const account of deps.accounts.keys()) this.#lanes.set(account, this.#lane(account));
    this.#watcher = new Watcher({ rest, config, clock, events, health }, this.#lanes);
    this.#auditor = new Auditor({ config, clock, events }, this.#lanes);
    const { webhook } = config;
    this.#webhook =
      webhook === undefined
        ? null
        : new WebhookIntake({
            options: { ...webhook, mostBodyBytes: config.limits.body },
            lanes: this.#lanes,
            clock,
            events,
          });
  }

  /** Begins to listen; returns the port. The back end may post from its first moment on. */
  async listen(): Promise<number | null> {
    if (this.#webhook === null) return null;
    this.#parts.health.setAll('webhook-not-listening', true);
    const port = await this.#webhook.listen();
    this.#parts.health.setAll('webhook-not-listening', false);
    return port;
  }

  /** Says what the time before this run may have lost, and takes up what it left. */
  async begin(): Promise<void> {
    for (const lane of this.#lanes.values()) {
      const gaps = [...this.#downtime(lane), ...this.#lossyIntake(lane)];
      if (gaps.length > 0) await lane.submit({ captures: gaps }).catch((error: unknown) => this.#unlessFatal(error));
      for (const work of lane.storedWork()) this.#worker.add(lane, work);
    }
  }

  tasks(): Promise<void>[] {
    const { signal } = this.#parts;
    const intakes = [...this.#lanes.values()].flatMap((lane, at) => [
      ...this.#journal(lane, at === 0),
      ...this.#socket(lane),
    ]);
    return [
      this.#listening(),
      this.#worker.run(signal),
      this.#watcher.run(signal),
      this.#auditor.run(signal),
      ...intakes,
    ];
  }

  /** Takes note of a newly linked account at once. */
  look(): Promise<void> {
    return this.#watcher.look();
  }

  /** The last words, and what is still on its way. */
  async end(): Promise<void> {
    await this.#auditor.end().catch((error: unknown) => this.#unlessFatal(error));
    for (const lane of this.#lanes.values()) await lane.settle();
  }

  /** Frees the port, whatever became of the run. */
  async close(): Promise<void> {
    await this.#webhook?.close();
  }

  /** Capture is worth more than what the connector has to say of itself. */
  #unlessFatal(error: unknown): void {
    if (isFailure(error, 'fatal')) throw error;
    this.#parts.deps.events.trouble('deliver', error);
  }

  #lane(account: string): AccountLane {
    const { config, deps, health, signal, fail } = this.#parts;
    const sink = deps.accounts.get(account);
    if (sink === undefined) throw new TypeError('expected a configured account');
    return new AccountLane({
      account,
      sink,
      clock: deps.clock,
      events: deps.events,
      health,
      horizonMs: config.thresholds.referenceHorizon,
      retryMs: config.intervals.retry,
      signal,
      onFatal: fail,
      onWork: (lane, work) => this.#worker.add(lane, work),
      onGroup: (lane, groupId, revision, updated) => this.#watcher.groupMoved(lane, groupId, revision, updated),
      onPhone: (lane, atMs) => this.#watcher.phoneSeen(lane, atMs),
    });
  }

  async #listening(): Promise<void> {
    const { signal } = this.#parts;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    // Here, while the lanes still deliver: requests under way get their answer.
    await this.close();
  }

  #journal(lane: AccountLane, reports: boolean): Promise<void>[] {
    const { config, deps, health, signal } = this.#parts;
    const { journal: path, intervals, limits } = config;
    if (path === undefined) return [];
    const intake = new JournalIntake({
      lane,
      path,
      pollMs: intervals.journal,
      markMs: intervals.alive,
      mostLineBytes: limits.body,
      clock: deps.clock,
      events: deps.events,
      health,
      accounts: new Set(this.#lanes.keys()),
      reports,
      onDaemonStart: () => this.#watcher.restartSeen(),
    });
    return [intake.run(signal)];
  }

  #socket(lane: AccountLane): Promise<void>[] {
    const { config, deps, health, signal } = this.#parts;
    if (!config.websocket) return [];
    const { api, timeouts, intervals, thresholds, limits } = config;
    const intake = new WebSocketIntake({
      api,
      lane,
      lanes: this.#lanes,
      silenceMs: timeouts.webSocketSilence,
      retryMs: intervals.retry,
      downMs: thresholds.intakeDown,
      mostPendingBytes: limits.pending,
      events: deps.events,
      health,
      clock: deps.clock,
      onGap: (account, fromMs) => this.#socketGap(account, fromMs),
    });
    return [intake.run(signal)];
  }

  /** Where other intakes have what the socket missed, nothing is missing. */
  #socketGap(lane: AccountLane, fromMs: number): void {
    const { config, deps } = this.#parts;
    if (hasLosslessIntake(config)) return;
    const nowMs = deps.clock();
    const about = { cause: 'intake-lost', scope: 'account', state: 'final', detail: 'websocket' } as const;
    const gap = gapCapture(lane.account, nowMs, { ...about, fromMs, toMs: nowMs });
    lane.submit({ captures: [gap] }).catch((error: unknown) => deps.events.trouble('websocket', error));
  }

  /** Without a journal nobody kept what came while this connector was not running. */
  #downtime(lane: AccountLane): GapCapture[] {
    const { config, deps } = this.#parts;
    const aliveMs = lane.read<{ atMs: number }>('alive')?.atMs;
    if (config.journal !== undefined || aliveMs === undefined) return [];
    const nowMs = deps.clock();
    const about = { cause: 'restart', scope: 'account', state: 'final', detail: 'connector' } as const;
    return [gapCapture(lane.account, nowMs, { ...about, fromMs: aliveMs, toMs: nowMs })];
  }

  /** The WebSocket alone drops messages without a word, so the account is never green and a gap stays open. */
  #lossyIntake(lane: AccountLane): GapCapture[] {
    const { config, deps, health } = this.#parts;
    const isLossy = !hasLosslessIntake(config);
    const open = lane.gaps.find('intake-lost');
    const nowMs = deps.clock();
    health.set(lane.account, 'lossy-intake', isLossy);
    if (isLossy === (open !== undefined)) return [];
    const about = { cause: 'intake-lost', scope: 'account', detail: 'websocket alone' } as const;
    if (open !== undefined)
      return [gapCapture(lane.account, nowMs, { ...about, state: 'closed', ref: open.id, toMs: nowMs })];
    lane.alarm('lossy-intake');
    return [gapCapture(lane.account, nowMs, { ...about, state: 'open', fromMs: nowMs })];
  }
}

function attachmentOptions({
  limits,
  intervals,
  thresholds,
}: SignalConfig): ConstructorParameters<typeof AttachmentWorker>[0]['options'] {
  return {
    atOnce: limits.attachmentsAtOnce,
    mostBytes: limits.attachment,
    retryMs: intervals.retry,
    backlogMs: thresholds.attachmentBacklog,
    missingMs: thresholds.attachmentMissing,
    mismatchMs: thresholds.attachmentShort,
    giveUpMs: thresholds.attachmentGiveUp,
    deleteMs: thresholds.attachmentDelete,
  };
}
