// SPDX-License-Identifier: AGPL-3.0-or-later
import type { RetentionEntry } from '../record/entry-types.ts';
import type { LogState } from './log-state.ts';
import { EvidenceCursor } from './retention-evidence.ts';
import { Patience } from './retention-patience.ts';
import { RetentionPlace } from './retention-place.ts';
import { wantsOf, type SchedulesByClass, type Wanted } from './retention-wants.ts';
import { readSegment, segmentsFrom, type LogPlace } from './segments.ts';
import { covers, joined } from './store-lock.ts';
import type { Lock } from './store.ts';

export interface RetentionProgress {
  /** First leaf not looked at yet, and the one to stop at. */
  readonly leaf: number;
  readonly end: number;
  readonly extended: number;
  /** Named by the log and not in the store: disposed of, or a finding for verify. */
  readonly missing: number;
}

export interface RetentionParts {
  readonly place: LogPlace;
  readonly state: LogState;
  /** Pause behind every segment and every lengthened lock. */
  readonly pauseMs: number;
  readonly onProgress: (progress: RetentionProgress) => void;
}

const TOLD_EVERY = 256;

/**
 * Lengthens the locks of what is stored already when its class's schedule was lengthened: of each segment, then of the heads, time stamps
 * and cosignatures that vouch for the log there, and then of everything it names, in the order of the log. The log says what is wanted and the store what is done, so a run that is cut short goes on where
 * it stopped, and a second one finds nothing to do. Locks only ever get longer; two archivers may do this at once.
 */
export class RetentionKeeper {
  readonly #parts: RetentionParts;
  #extended = 0;
  #missing = 0;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Rejects with what the store refuses; waits for what it cannot do now. Resolves early when aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { place, state, pauseMs } = this.#parts;
    if (!place.store.abilities.locks) return;
    const patience = new Patience(pauseMs, signal);
    const changed = await this.#changed(patience);
    if (changed.length === 0) return;
    const { begin, end } = await new RetentionPlace(place, state.size, patience).stretch(changed);
    if (!signal.aborted) await this.#walk(begin, end, new Map(changed.map((one) => [one.class, one])), patience);
  }

  /** Schedules logged after the log began: before each of them, its class was kept under another one, or a provisional one. */
  async #changed(patience: Patience): Promise<RetentionEntry[]> {
    const { place, state } = this.#parts;
    const genesis = await patience.call(() => readSegment(place, 0));
    return genesis === null ? [] : state.schedules().filter(({ at }) => at > genesis.tail.at);
  }

  async #walk(begin: number, end: number, schedules: SchedulesByClass, patience: Patience): Promise<void> {
    const { place, onProgress } = this.#parts;
    let [leaf, looked] = [begin, 0];
    const tell = (): void => onProgress({ leaf, end, extended: this.#extended, missing: this.#missing });
    // Begun again, where it was, when reading a segment failed for the moment.
    await patience.call(async () => {
      const beside = new EvidenceCursor(place, leaf);
      for await (const segment of segmentsFrom(place, leaf)) {
        if (segment.head.first >= end) break;
        const wants = wantsOf(segment, schedules, await beside.upTo(segment.tail.size));
        await this.#lengthen(wants.all, patience);
        if (patience.signal.aborted) break;
        leaf = segment.tail.size;
        looked += 1;
        if (looked % TOLD_EVERY === 0) tell();
        await patience.pause();
      }
    });
    if (this.#extended + this.#missing > 0) tell();
  }

  async #lengthen(wanted: readonly Wanted[], patience: Patience): Promise<void> {
    const { store } = this.#parts.place;
    for (const { key, lock } of wanted) {
      const state = await patience.call(() => store.state(key, ''));
      if (patience.signal.aborted) return;
      if (state === null) this.#missing += 1;
      const longer = state === null ? null : await this.#lacking(state.lock, lock, patience);
      if (longer === null) continue;
      await patience.call(() => store.extend(key, '', longer));
      if (patience.signal.aborted) return;
      this.#extended += 1;
      await patience.pause();
    }
  }

  /** The lock that an object should have and has not; null if it has it, or if it would be over already. */
  async #lacking(kept: Lock | null, wanted: Lock, patience: Patience): Promise<Lock | null> {
    if (covers(kept, wanted)) return null;
    const longer = joined(kept, wanted);
    const nowMs = await patience.call(() => this.#parts.place.store.serverTimeMs());
    return nowMs !== null && Date.parse(longer.until) > nowMs ? longer : null;
  }
}
