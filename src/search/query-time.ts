// SPDX-License-Identifier: AGPL-3.0-or-later

/** From a moment, and before another. */
export interface Span {
  readonly fromMs: number;
  readonly beforeMs: number;
}

const MOMENT = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}))?Z?)?)?)?$/;

/** A year, month, day, minute or second in UTC, as the time from its beginning to its end; or `A..B`, both included. Null if it is none. */
export function parseSpan(text: string): Span | null {
  const [first = '', last, ...more] = text.split('..');
  if (more.length > 0) return null;
  const from = parseMoment(first);
  const to = last === undefined ? from : parseMoment(last);
  if (from === null || to === null || to.beforeMs < from.fromMs) return null;
  return { fromMs: from.fromMs, beforeMs: to.beforeMs };
}

function parseMoment(text: string): Span | null {
  const match = MOMENT.exec(text);
  if (match === null) return null;
  const parts = match.slice(1).map((part) => (part === undefined ? null : Number(part)));
  const [year = null, month = null, day = null, hour = null, minute = null, second = null] = parts;
  if (year === null || year < 1970) return null;
  const begin = utc(year, month ?? 1, day ?? 1, hour ?? 0, minute ?? 0, second ?? 0);
  if (begin === null) return null;
  if (month === null) return { fromMs: begin, beforeMs: Date.UTC(year + 1, 0) };
  if (day === null) return { fromMs: begin, beforeMs: Date.UTC(year, month) };
  const lengthMs = hour === null ? 86_400_000 : second === null ? 60_000 : 1000;
  return { fromMs: begin, beforeMs: begin + lengthMs };
}

/** Null for a day or an hour that does not exist. */
function utc(year: number, month: number, day: number, hour: number, minute: number, second: number): number | null {
  const time = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const same = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && time.getUTCHours() === hour;
  return same && time.getUTCMinutes() === minute && time.getUTCSeconds() === second ? time.getTime() : null;
}
