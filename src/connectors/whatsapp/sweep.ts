// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Capture, SessionChange } from '../connector.ts';
import type { Awaited } from './awaited.ts';
import { commit } from './commit.ts';
import type { WhatsAppConfig } from './config.ts';
import type { Connection } from './connection.ts';
import type { Fence } from './fence.ts';
import type { HealthBook } from '../health.ts';
import type { HealthReason } from './reasons.ts';
import type { AccountLane } from './lane.ts';
import { gapCapture } from './own-records.ts';
import type { StanzaNode } from './normalise/input.ts';
import type { PhoneWatch } from './phone.ts';
import { forgottenPrefixes } from './state.ts';
import { encodeState } from '../state.ts';

export interface SweepParts {
  readonly config: WhatsAppConfig;
  readonly lane: AccountLane;
  readonly health: HealthBook<HealthReason>;
  readonly phone: PhoneWatch;
  readonly awaited: Awaited;
}

/** An account is not green with a stanza this old in the book. */
const LATE_AFTER_MS = 15_000;
const FORGET_AT_ONCE = 1000;

/** What time alone brings about: stanzas that nobody accounted for, gaps that stay, a phone that is not heard of. */
export class Sweeper {
  readonly #parts: SweepParts;
  #aliveMs = 0;
  #forgotMs = 0;

  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  /** While a connection holds the account. */
  async connected(connection: Pick<Connection, 'book' | 'meaning' | 'drop'>, fence: Fence): Promise<void> {
    const { lane, config, health } = this.#parts;
    const { nowMs } = lane;
    const oldestMs = connection.book.oldestMs;
    health.set(lane.account, 'unaccounted', oldestMs !== null && nowMs - oldestMs >= LATE_AFTER_MS);
    if (oldestMs !== null && nowMs - oldestMs >= config.thresholds.unaccounted) {
      // While the spool is what they wait for, they are not lost: the server will send them again.
      if (!lane.isBlocked) await this.#lost(connection, fence);
      return connection.drop();
    }
    await this.#note(fence);
  }

  async #lost({ book, meaning }: Pick<Connection, 'book' | 'meaning'>, fence: Fence): Promise<void> {
    const { lane, config } = this.#parts;
    const byMs = lane.nowMs - config.thresholds.unaccounted;
    for (let node = book.overdue(byMs); node !== null; node = book.overdue(byMs)) {
      await commit(lane, fence, meaning.stanza(node, 'unaccounted'));
      book.given(node);
      lane.alarm('unaccounted');
    }
  }

  /** What an earlier connection ended with, and the server has not sent to this one. */
  async missed({ meaning }: Pick<Connection, 'meaning'>, fence: Fence): Promise<void> {
    const { lane, awaited, config } = this.#parts;
    const { unaccounted } = config.thresholds;
    const overdue = (): StanzaNode | null => awaited.overdue(lane.nowMs, unaccounted);
    for (let node = overdue(); node !== null; node = overdue()) {
      await commit(lane, fence, meaning.stanza(node, 'unaccounted'));
      awaited.missed(node);
      lane.alarm('unaccounted');
    }
  }

  async #note(fence: Fence): Promise<void> {
    const { lane, health, phone, config } = this.#parts;
    const news = phone.news();
    const captures: Capture[] = [...news.captures, ...this.#finals()];
    const session: SessionChange[] = [...news.session, ...this.#forgotten()];
    if (lane.nowMs - this.#aliveMs >= config.intervals.alive) {
      this.#aliveMs = lane.nowMs;
      session.push({ name: 'alive', value: encodeState({ atMs: lane.nowMs }) });
    }
    if (captures.length > 0 || session.length > 0) await lane.deliver(captures, session, fence);
    phone.noted();
    if (news.alarmDays !== null) lane.alarm('phone-idle', news.alarmDays);
    health.set(lane.account, 'phone-idle', news.isIdle);
    health.set(lane.account, 'undecryptable', lane.gaps.ofCause('undecryptable').length > 0);
  }

  /** A message that nobody sent again in all that time will not come. */
  #finals(): Capture[] {
    const { lane, config } = this.#parts;
    const { nowMs, account } = lane;
    return lane.gaps
      .ofCause('undecryptable')
      .filter(({ atMs }) => nowMs - atMs >= config.thresholds.undecryptableFinal)
      .map(({ id, cause, scope }) => gapCapture(account, nowMs, { cause, scope, state: 'final', ref: id }));
  }

  #forgotten(): SessionChange[] {
    const { lane } = this.#parts;
    const { nowMs, sink } = lane;
    if (nowMs - this.#forgotMs < 3_600_000) return [];
    const names = forgottenPrefixes(nowMs).flatMap((prefix) => sink.sessionNames(prefix));
    if (names.length <= FORGET_AT_ONCE) this.#forgotMs = nowMs;
    return names.slice(0, FORGET_AT_ONCE).map((name) => ({ name, value: null }));
  }
}
