// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure, type Failure } from '../../base/failure.ts';
import type { AccountSink, Capture, ConnectorEvents, Delivered, SessionChange } from '../connector.ts';
import { noteCaptured } from '../captured.ts';
import type { Credentials } from './credentials.ts';
import { stopped, type Fence } from './fence.ts';
import { GapBook } from '../gap-book.ts';
import type { HealthBook } from '../health.ts';
import type { Alarm, HealthReason } from './reasons.ts';
import type { StateName } from './state.ts';
import { decodeState } from '../state.ts';

export interface LaneParts {
  readonly account: string;
  readonly sink: AccountSink;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
  readonly retryMs: number;
  /** The sink's outcome is unknown: the session must end. */
  readonly onFatal: (error: Failure) => void;
}

const LONGEST_PAUSE_MS = 30_000;
/** A full spool shows in health only when it lasts. */
const WAITING_AFTER_MS = 1000;

/** One account's way to its sink: waits while the spool is full, repeats what may pass, ends with what is fatal. */
export class AccountLane {
  readonly account: string;
  readonly sink: AccountSink;
  readonly gaps: GapBook;
  /** Of the connection that holds the account; changes of them go with whatever is delivered next. */
  credentials: Credentials | null = null;
  /** What the connection that holds the account has on its way to the disk. */
  pipeline: { pending(name: string): Uint8Array | null | undefined } | null = null;
  readonly #parts: LaneParts;
  readonly #underWay = new Set<Promise<unknown>>();
  #blocked = 0;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.account = parts.account;
    this.sink = parts.sink;
    this.gaps = new GapBook(parts.sink);
  }

  get nowMs(): number {
    return this.#parts.clock();
  }

  /** Whether something waits for the spool: then nobody may blame the connection. */
  get isBlocked(): boolean {
    return this.#blocked > 0;
  }

  /** Session state as it is to be, should nothing crash: what is on its way counts. */
  session(name: string): Uint8Array | null {
    const pending = this.pipeline?.pending(name);
    return pending === undefined ? this.sink.session(name) : pending;
  }

  read<T>(name: StateName): T | null {
    return decodeState<T>(this.sink.session(name));
  }

  alarm(reason: Alarm, count?: number): void {
    this.#parts.events.alarm(this.account, reason, count);
  }

  /**
   * Resolves when all of it is durable. Throws `whatsapp/stopped` when the fence falls before it was handed over, what the sink refuses,
   * and what is fatal.
   */
  async deliver(
    captures: readonly Capture[],
    session: readonly SessionChange[],
    fence: Fence,
  ): Promise<readonly Delivered[]> {
    for (let pauseMs = this.#parts.retryMs; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      await this.ready(fence);
      fence.assertStanding();
      try {
        return await this.#attempt(captures, session);
      } catch (error) {
        if (isFailure(error, 'fatal')) this.#parts.onFatal(error);
        if (!isFailure(error, 'retry')) throw error;
        this.#parts.events.trouble('deliver', error);
        await sleep(pauseMs, undefined, { signal: fence.signal }).catch(() => Promise.reject(stopped()));
      }
    }
  }

  /** Waits while the spool is full. Throws `whatsapp/stopped` when the fence falls meanwhile. */
  async ready(fence: Fence): Promise<void> {
    const { sink, health, account } = this.#parts;
    const late = setTimeout(() => health.set(account, 'spool-waiting', true), WAITING_AFTER_MS);
    this.#blocked += 1;
    try {
      await fence.unlessFallen(sink.ready());
    } finally {
      this.#blocked -= 1;
      clearTimeout(late);
      if (this.#blocked === 0) health.set(account, 'spool-waiting', false);
    }
  }

  /** Waits until the sink has nothing of this account under way any more. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  async #attempt(captures: readonly Capture[], session: readonly SessionChange[]): Promise<readonly Delivered[]> {
    const { credentials } = this;
    // Taken now, not when the delivery was asked for: one that waited must not bring back what has changed since.
    const pending = credentials?.pending();
    const delivering = this.sink.deliver(captures, [...session, ...(pending?.changes ?? [])]);
    this.#underWay.add(delivering);
    this.#blocked += 1;
    try {
      const delivered = await delivering;
      if (pending !== undefined) credentials?.stored(pending.version);
      if (captures.some(({ type }) => type === 'gap')) this.gaps.refresh();
      noteCaptured(this.#parts, captures, delivered);
      return delivered;
    } finally {
      this.#blocked -= 1;
      this.#underWay.delete(delivering);
    }
  }
}
