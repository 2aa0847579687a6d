// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Capture, SessionChange } from '../connector.ts';
import { closingGaps, openingGap } from './account-gaps.ts';
import type { AccountLane } from './lane.ts';
import { encodeState } from '../state.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

interface Stored {
  readonly seenMs: number;
  /** How many of the thresholds were told. */
  readonly told: number;
}

export interface PhoneNews {
  readonly captures: readonly Capture[];
  readonly session: readonly SessionChange[];
  readonly alarmDays: number | null;
  readonly isIdle: boolean;
}

/** When the owner's phone was last heard of: WhatsApp removes the linked devices of a phone that stays away. */
export class PhoneWatch {
  readonly #lane: AccountLane;
  readonly #thresholds: readonly number[];
  #seenMs: number;
  #stored: Stored | null;

  constructor(lane: AccountLane, thresholds: readonly number[]) {
    this.#lane = lane;
    this.#thresholds = thresholds.toSorted((a, b) => a - b);
    this.#stored = lane.read<Stored>('phone');
    this.#seenMs = this.#stored?.seenMs ?? 0;
  }

  seen(): void {
    this.#seenMs = this.#lane.nowMs;
  }

  /** Scanning the code is a sign of life too. */
  linked(atMs: number): void {
    this.#seenMs = Math.max(this.#seenMs, atMs);
  }

  /** What is to be stored now; tell {@link noted} once it is. */
  news(): PhoneNews {
    const { nowMs } = this.#lane;
    const passed =
      this.#seenMs === 0 ? 0 : this.#thresholds.filter((threshold) => nowMs - this.#seenMs >= threshold).length;
    const told = this.#stored?.told ?? 0;
    const isGap = passed > 0 && passed === this.#thresholds.length;
    const captures = isGap
      ? openingGap(this.#lane, 'phone-idle', this.#seenMs, 'phone offline')
      : closingGaps(this.#lane, ['phone-idle']);
    const isNews = passed !== told || this.#seenMs - (this.#stored?.seenMs ?? 0) >= HOUR_MS;
    const stored: Stored = { seenMs: this.#seenMs, told: passed };
    return {
      captures,
      session: isNews || captures.length > 0 ? [{ name: 'phone', value: encodeState({ ...stored }) }] : [],
      alarmDays: passed > told ? Math.round((this.#thresholds[passed - 1] ?? 0) / DAY_MS) : null,
      isIdle: passed > 0,
    };
  }

  noted(): void {
    this.#stored = this.#lane.read<Stored>('phone');
  }
}
