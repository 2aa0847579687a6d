// SPDX-License-Identifier: AGPL-3.0-or-later
import type { RetentionEntry } from '../record/entry-types.ts';
import { fromSeconds, toSeconds } from '../record/period.ts';
import type { Segment } from '../record/segment.ts';
import type { Patience } from './retention-patience.ts';
import { wantsOf, type SchedulesByClass } from './retention-wants.ts';
import { segmentFrom, segmentsFrom, type LogPlace } from './segments.ts';
import { covers } from './store-lock.ts';

/** How many segments are looked at for one that tells whether a stretch of the log is done. */
const MOST_PROBED = 256;
/** A server's clock that was set back may have dated a segment behind a schedule that it came before. */
const CLOCK_SLACK_MS = 600_000;

/** Where in the log there is work for schedules that were lengthened: found by bisection, from nothing but log and locks. */
export class RetentionPlace {
  readonly #place: LogPlace;
  readonly #size: number;
  readonly #patience: Patience;

  constructor(place: LogPlace, size: number, patience: Patience) {
    this.#place = place;
    this.#size = size;
    this.#patience = patience;
  }

  /** The first leaf that a run must look at, and the first that it need not. */
  async stretch(changed: readonly RetentionEntry[]): Promise<{ begin: number; end: number }> {
    const latest = changed.reduce((last, { at }) => (at > last ? at : last), '');
    const end = await this.#firstWritten(toSeconds(fromSeconds(latest) + CLOCK_SLACK_MS));
    let begin = end;
    for (const schedule of changed) begin = Math.min(begin, await this.#firstUndone(schedule));
    return { begin: await this.#beginning(begin), end };
  }

  /** Where segments begin that were written at this time or after. */
  async #firstWritten(at: string): Promise<number> {
    return search(this.#size, async (leaf) => {
      const segment = await this.#patience.call(() => segmentFrom(this.#place, leaf));
      return segment === null || segment.tail.at >= at;
    });
  }

  /**
   * Where an earlier run stopped, for one class: everything of it that is older than its schedule was done in the order of the log.
   * Where nothing nearby tells, the answer may be too early, which costs time and does no harm.
   */
  async #firstUndone(schedule: RetentionEntry): Promise<number> {
    const schedules = new Map([[schedule.class, schedule]]);
    const end = await this.#firstWritten(schedule.at);
    return search(end, (leaf) => this.#isUndoneFrom(leaf, end, schedules));
  }

  async #isUndoneFrom(leaf: number, end: number, schedules: SchedulesByClass): Promise<boolean> {
    const from = await this.#beginning(leaf);
    const nowMs = await this.#patience.call(() => this.#place.store.serverTimeMs());
    const answer = await this.#patience.call(async () => {
      let probed = 0;
      for await (const segment of segmentsFrom(this.#place, from)) {
        if (segment.head.first >= end || probed === MOST_PROBED) return true;
        const told = await this.#isUndone(segment, schedules, nowMs ?? 0);
        if (told !== null) return told;
        probed += 1;
      }
      return true;
    });
    return answer ?? true;
  }

  /** Null where the segment does not tell: nothing in it was promised for less, or nothing of that is there any more. */
  async #isUndone(segment: Segment, schedules: SchedulesByClass, nowMs: number): Promise<boolean | null> {
    let told: boolean | null = null;
    for (const { key, lock } of wantsOf(segment, schedules).packs) {
      // What would be over already is not lengthened any more.
      const state = Date.parse(lock.until) > nowMs ? await this.#place.store.state(key, '') : null;
      if (state === null) continue;
      if (!covers(state.lock, lock)) return true;
      told = false;
    }
    return told;
  }

  /** First leaf of the first segment that begins at this leaf or behind it. */
  async #beginning(leaf: number): Promise<number> {
    const segment = await this.#patience.call(() => segmentFrom(this.#place, leaf));
    return segment?.head.first ?? this.#size;
  }
}

/** The first number below `end` for which `holds`, if it holds for all behind it; else `end`. */
async function search(end: number, holds: (at: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [0, end];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
