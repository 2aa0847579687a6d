// SPDX-License-Identifier: AGPL-3.0-or-later
import { UTC, type LocalTime } from './local-time.ts';

/** From a moment, and before another. */
export interface Span {
  readonly fromMs: number;
  readonly beforeMs: number;
}

const MOMENT = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}))?Z?)?)?)?$/;

/** A year, month, day, minute or second as the zone counts them, from its beginning to its end; or `A..B`, both included. Null if it is none. */
export function parseSpan(text: string, zone: LocalTime = UTC): Span | null {
  const [first = '', last, ...more] = text.split('..');
  if (more.length > 0) return null;
  const from = parseMoment(first, zone);
  const to = last === undefined ? from : parseMoment(last, zone);
  if (from === null || to === null || to.beforeMs < from.fromMs) return null;
  return { fromMs: from.fromMs, beforeMs: to.beforeMs };
}

function parseMoment(text: string, asked: LocalTime): Span | null {
  const match = MOMENT.exec(text);
  if (match === null) return null;
  // Who writes Z means UTC, wherever they are.
  const zone = text.endsWith('Z') ? UTC : asked;
  const parts = match.slice(1).map((part) => (part === undefined ? null : Number(part)));
  const [year = null, month = null, day = null, hour = null, minute = null, second = null] = parts;
  if (year === null || year < 1970) return null;
  const begin = wall(year, month ?? 1, day ?? 1, hour ?? 0, minute ?? 0, second ?? 0);
  if (begin === null) return null;
  const fromMs = zone.moment(begin);
  if (month === null) return { fromMs, beforeMs: zone.moment(Date.UTC(year + 1, 0)) };
  if (day === null) return { fromMs, beforeMs: zone.moment(Date.UTC(year, month)) };
  if (hour === null) return { fromMs, beforeMs: zone.moment(begin + 86_400_000) };
  return { fromMs, beforeMs: fromMs + (second === null ? 60_000 : 1000) };
}

/** Null for a day or an hour that does not exist. */
function wall(year: number, month: number, day: number, hour: number, minute: number, second: number): number | null {
  const time = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const same = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && time.getUTCHours() === hour;
  return same && time.getUTCMinutes() === minute && time.getUTCSeconds() === second ? time.getTime() : null;
}
