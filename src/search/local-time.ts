// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Offsets change at quarters of an hour only, as far as anybody keeps time by them. */
const QUARTER_MS = 900_000;
const MOST_REMEMBERED = 10_000;
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_MS = Date.parse('9999-12-30T00:00:00Z');

/**
 * Times as people in one zone read and write them. What is written always says how far from UTC it is, so that no time can be read as
 * another. What was never on a clock (skipped in spring) is taken as the moment the clock went on; of what was twice on it, the first.
 */
export class LocalTime {
  /** IANA name, as the time zone data writes it. */
  readonly zone: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #offsets = new Map<number, number>();

  /** Throws `search/query` for a name that is no IANA zone. */
  constructor(zone: string) {
    this.#format = formatOf(zone);
    this.zone = this.#format.resolvedOptions().timeZone;
  }

  get isUtc(): boolean {
    return this.zone === 'UTC';
  }

  /** How far the zone is ahead of UTC at a moment. */
  offsetMs(timeMs: number): number {
    if (this.isUtc) return 0;
    const quarter = Math.floor(timeMs / QUARTER_MS);
    let offset = this.#offsets.get(quarter);
    if (offset === undefined) {
      offset = this.#ask(quarter * QUARTER_MS);
      if (this.#offsets.size >= MOST_REMEMBERED) this.#offsets.clear();
      this.#offsets.set(quarter, offset);
    }
    return offset;
  }

  #ask(timeMs: number): number {
    const parts = new Map(this.#format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const [year, month, day] = [part('year'), part('month') - 1, part('day')];
    const local = Date.UTC(year, month, day, part('hour'), part('minute'), part('second'));
    return Math.round((local - timeMs) / MINUTE_MS) * MINUTE_MS;
  }

  /** The moment at which clocks there show what a clock in UTC shows at `wallMs`. */
  moment(wallMs: number): number {
    if (this.isUtc) return wallMs;
    // A day before and after, no change of the clock lies between: one of the two offsets is in force.
    const offsets = [this.offsetMs(wallMs - DAY_MS), this.offsetMs(wallMs + DAY_MS)];
    const found = offsets.map((offset) => wallMs - offset).filter((at) => at + this.offsetMs(at) === wallMs);
    if (found.length > 0) return Math.min(...found);
    return this.#changeNear(wallMs - Math.max(...offsets));
  }

  /** The first moment of the quarter of an hour behind which clocks went on; there is one within a day of `nearMs`. */
  #changeNear(nearMs: number): number {
    let at = Math.floor((nearMs - DAY_MS) / QUARTER_MS) * QUARTER_MS;
    const before = this.offsetMs(at);
    while (this.offsetMs(at) === before && at < nearMs + DAY_MS) at += QUARTER_MS;
    return at;
  }

  /** `2026-11-19 22:00:04 +01:00`; in UTC `2026-11-19 22:00:04Z`. */
  text(timeMs: number): string {
    if (!isTime(timeMs)) return 'an unknown time';
    const wall = this.#wall(timeMs).slice(0, -5).replace('T', ' ');
    return this.isUtc ? `${wall}Z` : `${wall} ${offsetText(this.offsetMs(timeMs))}`;
  }

  /** The day it is there: `2026-11-19`. */
  day(timeMs: number): string {
    return isTime(timeMs) ? this.#wall(timeMs).slice(0, 10) : '0000-00-00';
  }

  #wall(timeMs: number): string {
    return new Date(timeMs + this.offsetMs(timeMs)).toISOString();
  }
}

/** A sender's clock may say anything: what has no year of four digits is no date that people or formats could read. */
export function isTime(timeMs: number): boolean {
  return timeMs > FIRST_MS && timeMs < LAST_MS;
}

export const UTC = new LocalTime('UTC');

function offsetText(offsetMs: number): string {
  const minutes = Math.abs(offsetMs) / MINUTE_MS;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return `${offsetMs < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const [calendar, numeric] = ['gregory', '2-digit'] as const;
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar,
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: numeric,
      day: numeric,
      hour: numeric,
      minute: numeric,
      second: numeric,
    });
  } catch (cause) {
    throw new Failure('search/query', {
      expected: 'an IANA time zone, such as UTC or America/New_York',
      got: 'something else',
      where: 'the time zone',
      cause,
    });
  }
}
