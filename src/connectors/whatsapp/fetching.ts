// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { ConnectorEvents } from '../connector.ts';
import type { WhatsAppConfig } from './config.ts';
import type { Connection } from './connection.ts';
import { Credentials } from './credentials.ts';
import type { HealthBook } from '../health.ts';
import { HistoryQueue } from './history/history-queue.ts';
import { HistoryRepair } from './history/repair.ts';
import type { AccountLane } from './lane.ts';
import { MediaHost } from './media/host.ts';
import { MediaQueue } from './media/media-queue.ts';
import { Meaning, type FollowUp, type Normalise } from './meaning.ts';
import type { HealthReason, Trouble } from './reasons.ts';
import type { Wire } from './wire.ts';

export interface FetchingParts {
  readonly config: WhatsAppConfig;
  readonly wire: Wire;
  readonly normalise: Normalise;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
  readonly clock: () => number;
  readonly onFatal: (error: unknown) => void;
  /** The account's connection, if it has one now. */
  readonly connectionOf: (account: string) => Connection | null;
}

/** Everything that is fetched over HTTPS, for all accounts: files of messages, and the history that phones send. */
export class Fetching {
  readonly followUps: readonly FollowUp[];
  /** What could not be read is asked of the phone's history. */
  readonly repair: HistoryRepair;
  readonly #media: MediaQueue;
  readonly #history: HistoryQueue;

  constructor(parts: FetchingParts) {
    const { config, health, clock, onFatal, connectionOf, wire, normalise } = parts;
    const { media, intervals } = config;
    const host = new MediaHost({ headersMs: media.headers, idleMs: media.idle, totalMs: media.total }, wire.agent);
    const queue = { atOnce: media.atOnce, retryMs: intervals.retry, backlogMs: media.backlog };
    const trouble = (what: Trouble) => (error: unknown) => parts.events.trouble(what, error);
    this.#media = new MediaQueue({
      host,
      options: { mostBytes: media.most, askAgainMs: media.askAgain, giveUpMs: media.giveUp },
      phone: {
        own: (account) => connectionOf(account)?.own.pn ?? null,
        send: async (account, node) => (await connectionOf(account)?.tellPhone(node)) ?? false,
      },
      randomBytes,
      queue,
      clock,
      onLate: (account, holds) => health.set(account, 'media-backlog', holds),
      onTrouble: trouble('attachment'),
      onFatal,
    });
    this.#history = new HistoryQueue({
      host,
      mostBytes: media.mostHistory,
      giveUpMs: media.giveUp,
      meaningOf: (lane) => this.#meaningOf(lane, normalise),
      onPairs: (lane, pairs) => {
        connectionOf(lane.account)?.tellPairs(pairs).catch(trouble('history'));
      },
      // One at a time: a part of the history is read in memory.
      queue: { ...queue, atOnce: 1 },
      clock,
      onLate: (account, holds) => health.set(account, 'history-backlog', holds),
      onTrouble: trouble('history'),
      onFatal,
    });
    this.repair = new HistoryRepair(intervals.repair);
    this.followUps = [this.#media, this.#history, this.repair];
  }

  /** Goes on with what an earlier run of the account left. */
  resume(lane: AccountLane): void {
    this.#media.resume(lane);
    this.#history.resume(lane);
    this.repair.resume(lane);
  }

  /** Ends when the signal aborts and what was under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#media.run(signal), this.#history.run(signal)]);
  }

  #meaningOf(lane: AccountLane, normalise: Normalise): Meaning | null {
    const credentials = Credentials.load(lane.sink);
    if (credentials === null || !credentials.isLinked) return null;
    return new Meaning({ lane, normalise, followUps: [this.#media, this.repair], own: () => credentials.own });
  }
}
