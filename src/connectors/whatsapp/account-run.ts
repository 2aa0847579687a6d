// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ConnectionState } from '@whiskeysockets/baileys';
import { isFailure } from '../../base/failure.ts';
import type { ConnectorEvents } from '../connector.ts';
import { closingGaps, openingGap } from './account-gaps.ts';
import { Awaited } from './awaited.ts';
import { ClientCaches } from './client-caches.ts';
import { endingOf, type Ending } from './close-codes.ts';
import type { WhatsAppConfig } from './config.ts';
import { Connection } from './connection.ts';
import { Credentials } from './credentials.ts';
import { Fence, fenceUntil } from './fence.ts';
import { GroupWatch } from './groups.ts';
import type { HistoryRepair } from './history/repair.ts';
import type { HealthBook } from '../health.ts';
import type { HealthReason } from './reasons.ts';
import type { AccountLane } from './lane.ts';
import type { FollowUp, Normalise } from './meaning.ts';
import { PhoneWatch } from './phone.ts';
import { encodeState, type Linked } from '../state.ts';
import { Sweeper } from './sweep.ts';
import { Waker } from '../waker.ts';
import type { Wire } from './wire.ts';

export interface AccountParts {
  readonly config: WhatsAppConfig;
  readonly wire: Wire;
  readonly normalise: Normalise;
  readonly followUps: readonly FollowUp[];
  readonly repair: HistoryRepair;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
  readonly lane: AccountLane;
  readonly onFatal: (error: unknown) => void;
}

const LONGEST_PAUSE_MS = 300_000;
/** A connection that held this long was well: the next pause is short again. */
const WELL_AFTER_MS = 60_000;
/** The server should say when its queue is empty; it does not always. */
const CAUGHT_UP_AFTER_MS = 30_000;

/** One account for as long as the session runs: one connection after the other, never two. */
export class AccountRun {
  readonly lane: AccountLane;
  readonly caches = new ClientCaches();
  readonly parts: AccountParts;
  readonly #phone: PhoneWatch;
  readonly #sweeper: Sweeper;
  readonly #awaited = new Awaited();
  readonly #waker = new Waker();
  #lastWellMs: number;
  /** Ended for good, until somebody links or the process starts again. */
  #halted = false;
  #linking = false;
  #isSweeping = false;
  #connection: Connection | null = null;
  /** All that waited at the server was offered. */
  #isCaughtUp = false;
  /** From before a connection is made until nothing of it is under way any more. */
  #connecting: Promise<Ending> | null = null;
  readonly #groups: GroupWatch;

  constructor(parts: AccountParts) {
    this.parts = parts;
    this.lane = parts.lane;
    this.#phone = new PhoneWatch(this.lane, parts.config.thresholds.phoneIdle);
    this.#groups = new GroupWatch({ ...parts, everyMs: parts.config.intervals.groups });
    this.#sweeper = new Sweeper({ ...parts, phone: this.#phone, awaited: this.#awaited });
    this.#lastWellMs = this.lane.read<Linked>('alive')?.atMs ?? this.lane.nowMs;
  }

  get connection(): Connection | null {
    return this.#connection;
  }

  /** The account is about to be linked anew: no connection of the old identity may come between. */
  async yieldTo(): Promise<Disposable> {
    this.#linking = true;
    this.#connection?.drop();
    await this.#connecting;
    return {
      [Symbol.dispose]: () => {
        this.#linking = false;
        this.#halted = false;
        this.#waker.wake();
      },
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let pauseMs = this.parts.config.intervals.retry; !signal.aborted;) {
      const credentials = this.#linking || this.#halted ? null : Credentials.load(this.lane.sink);
      if (credentials === null || !credentials.isLinked) {
        if (!this.#linking && !this.#halted) await this.#noteNotLinked(signal);
        await this.#waker.sleep(pauseMs, signal);
        continue;
      }
      const startedMs = this.lane.nowMs;
      this.#connecting = this.#connect(credentials, signal);
      const ending = await this.#connecting;
      if (signal.aborted) return;
      if (this.lane.nowMs - startedMs >= WELL_AFTER_MS) pauseMs = this.parts.config.intervals.retry;
      await this.#pause(ending, pauseMs, signal);
      pauseMs = ending.next === 'at-once' ? pauseMs : Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** The next number of a connection, durable before the connection is made. */
  async nextFence(signal: AbortSignal): Promise<Fence> {
    const last = this.lane.read<{ number: number }>('lease')?.number ?? 0;
    const fence = new Fence(last + 1);
    signal.addEventListener('abort', () => fence.fall(), { once: true, signal: fence.signal });
    if (signal.aborted) fence.fall();
    await this.lane.deliver([], [{ name: 'lease', value: encodeState({ number: fence.number }) }], fence);
    return fence;
  }

  async #connect(credentials: Credentials, signal: AbortSignal): Promise<Ending> {
    const { lane } = this;
    const stop = new AbortController();
    const end = (): void => stop.abort();
    signal.addEventListener('abort', end, { once: true });
    let fence: Fence | null = null;
    try {
      fence = await this.nextFence(stop.signal);
      if (this.#linking) return { next: 'again' };
      lane.credentials = credentials;
      const code = await this.#hold(credentials, fence, signal);
      return endingOf(code);
    } catch (error) {
      if (isFailure(error, 'fatal')) this.parts.onFatal(error);
      else if (!signal.aborted) this.parts.events.trouble('connection', error);
      return { next: 'again' };
    } finally {
      signal.removeEventListener('abort', end);
      fence?.fall();
      await lane.settle();
      lane.credentials = null;
    }
  }

  /** Keeps a connection until it ends, however it ends. */
  async #hold(credentials: Credentials, fence: Fence, signal: AbortSignal): Promise<number> {
    const { lane } = this;
    const { health, config } = this.parts;
    const connection = new Connection({
      ...this.parts,
      caches: this.caches,
      credentials,
      fence,
      onUpdate: (update) => this.#updated(update, fence),
      onPhone: () => this.#phone.seen(),
      onArrival: (node) => {
        this.#awaited.arrived(node);
        this.#groups.arrived(node);
      },
    });
    this.#connection = connection;
    const drop = (): void => connection.drop();
    signal.addEventListener('abort', drop, { once: true });
    if (signal.aborted) drop();
    const sweep = setInterval(() => void this.#sweep(connection, fence), config.intervals.sweep);
    try {
      const code = await connection.ended;
      if (!lane.isBlocked) await connection.flush();
      return code;
    } finally {
      clearInterval(sweep);
      signal.removeEventListener('abort', drop);
      this.#awaited.expect(connection.book.nodes);
      this.#awaited.pause();
      this.#connection = null;
      this.#isCaughtUp = false;
      health.caughtUp(lane.account, false);
    }
  }

  #updated(update: Partial<ConnectionState>, fence: Fence): void {
    const { health, config, events } = this.parts;
    const { account } = this.lane;
    if (update.connection === 'open') {
      this.#lastWellMs = this.lane.nowMs;
      health.link(account, 'linked');
      for (const reason of ['disconnected', 'replaced', 'banned', 'client-outdated'] as const)
        health.set(account, reason, false);
      this.#phone.linked(this.lane.read<Linked>('linked')?.atMs ?? 0);
      setTimeout(() => this.#caughtUp(fence), CAUGHT_UP_AFTER_MS).unref();
      const closing = closingGaps(this.lane, ['backend-outage', 'unlinked', 'intake-lost', 'unsupported-version']);
      if (closing.length > 0)
        this.lane.deliver(closing, [], fence).catch((error: unknown) => events.trouble('watch', error));
    }
    if (update.receivedPendingNotifications === true) this.#caughtUp(fence);
    if (update.connection === 'close' && config.thresholds.outage === 0) health.set(account, 'disconnected', true);
  }

  #caughtUp(fence: Fence): void {
    if (fence.hasFallen) return;
    this.parts.health.caughtUp(this.lane.account, true);
    this.#isCaughtUp = true;
    if (this.#connection !== null) void this.#groups.tend(this.#connection);
    this.#awaited.resume(this.lane.nowMs);
  }

  async #sweep(connection: Connection, fence: Fence): Promise<void> {
    // Before the guard: while the spool is full, the connection is well.
    this.#lastWellMs = this.lane.nowMs;
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      await this.#sweeper.connected(connection, fence);
      if (this.#isCaughtUp) {
        void this.#groups.tend(connection);
        await this.parts.repair.tend(this.lane, connection, fence);
      }
      await this.#sweeper.missed(connection, fence);
    } catch (error) {
      if (!fence.hasFallen) this.parts.events.trouble('watch', error);
    } finally {
      this.#isSweeping = false;
    }
  }

  async #pause(ending: Ending, pauseMs: number, signal: AbortSignal): Promise<void> {
    const { config, health } = this.parts;
    const { account } = this.lane;
    if (ending.next === 'at-once' || this.#linking) return;
    if (ending.next === 'again') {
      health.set(account, 'disconnected', true);
      await this.#noteOutage(signal);
      return this.#waker.sleep(pauseMs, signal);
    }
    this.lane.alarm(ending.alarm);
    await this.#note(openingGap(this.lane, ending.cause, this.#lastWellMs, ending.alarm), signal);
    if (ending.reason !== null) health.set(account, ending.reason, true);
    if (ending.cause === 'unlinked') health.link(account, 'unlinked');
    if (ending.next === 'later') return this.#waker.sleep(config.intervals.later, signal);
    this.#halted = true;
  }

  async #noteOutage(signal: AbortSignal): Promise<void> {
    if (this.lane.nowMs - this.#lastWellMs < this.parts.config.thresholds.outage) return;
    const opening = openingGap(this.lane, 'backend-outage', this.#lastWellMs, 'no connection');
    if (opening.length > 0) this.lane.alarm('outage');
    await this.#note(opening, signal);
  }

  async #noteNotLinked(signal: AbortSignal): Promise<void> {
    const { health } = this.parts;
    const opening = openingGap(this.lane, 'not-linked', this.lane.nowMs, 'never linked');
    if (opening.length > 0) this.lane.alarm('not-linked');
    await this.#note(opening, signal);
    health.link(this.lane.account, 'not-linked');
  }

  async #note(captures: Parameters<AccountLane['deliver']>[0], signal: AbortSignal): Promise<void> {
    if (captures.length === 0) return;
    using until = fenceUntil(signal);
    try {
      await this.lane.deliver(captures, [], until.fence);
    } catch (error) {
      if (!signal.aborted) this.parts.events.trouble('watch', error);
    }
  }
}
