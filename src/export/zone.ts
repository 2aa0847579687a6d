// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';

/** Offsets of zones change at quarters of an hour only, as far as anybody keeps time by them. */
const QUARTER_MS = 900_000;
const LAST_MS = 8.64e15;
const MINUTE_MS = 60_000;

/** Times as people in one zone read them. Every time says how far from UTC it is, so that none can be read as another. */
export class Zone {
  /** IANA name, as the time zone data writes it. */
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #offsets = new Map<number, number>();

  /** Throws `export/option` for a name that is no IANA zone. */
  constructor(name: string) {
    this.#format = formatOf(name);
    this.name = this.#format.resolvedOptions().timeZone;
  }

  /** Minutes ahead of UTC. */
  offsetMinutes(timeMs: number): number {
    if (this.name === 'UTC') return 0;
    const quarter = Math.floor(timeMs / QUARTER_MS);
    let offset = this.#offsets.get(quarter);
    if (offset === undefined) {
      offset = this.#askOffset(quarter * QUARTER_MS);
      this.#offsets.set(quarter, offset);
    }
    return offset;
  }

  #askOffset(timeMs: number): number {
    const parts = new Map(this.#format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const local = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour') % 24,
      part('minute'),
      part('second'),
    );
    return Math.round((local - timeMs) / MINUTE_MS);
  }

  /** `2026-11-19 22:00:04 +01:00`; for UTC `2026-11-19 22:00:04Z`. */
  text(timeMs: number): string {
    if (!isTime(timeMs)) return 'an unknown time';
    return `${this.day(timeMs)} ${this.clock(timeMs)}${this.#suffix(timeMs)}`;
  }

  /** The day it is there: `2026-11-19`. */
  day(timeMs: number): string {
    return this.#shifted(timeMs).slice(0, 10);
  }

  /** `22:00:04`. */
  clock(timeMs: number): string {
    return this.#shifted(timeMs).slice(11, 19);
  }

  #shifted(timeMs: number): string {
    return isTime(timeMs) ? new Date(timeMs + this.offsetMinutes(timeMs) * MINUTE_MS).toISOString() : '0000-00-00';
  }

  #suffix(timeMs: number): string {
    return this.name === 'UTC' ? 'Z' : ` ${offsetText(this.offsetMinutes(timeMs))}`;
  }
}

/** `2026-11-19T21:00:04.000Z`: with milliseconds, whatever the zone. */
export function isoOf(timeMs: number): string {
  return isTime(timeMs) ? new Date(timeMs).toISOString() : '1970-01-01T00:00:00.000Z';
}

/** The sender's clock may say anything: years beyond four digits are no date in any of the formats. */
export function isTime(timeMs: number): boolean {
  return Number.isFinite(timeMs) && timeMs > -6.2e13 && timeMs < 2.5e14 && Math.abs(timeMs) < LAST_MS;
}

function offsetText(minutes: number): string {
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `${minutes < 0 ? '−' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const numeric = '2-digit';
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
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
    throw new Failure('export/option', {
      expected: 'an IANA time zone, such as UTC or America/New_York',
      got: 'something else',
      where: '--zone',
      cause,
    });
  }
}
