// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Json } from '../../../record/canonical.ts';
import type { View } from '../../../record/message.ts';

const DEEPEST = 40;
const MOST = 2 ** 53;
const MOST_ITEMS = 50_000;

/** Set where something was left out. */
interface Limits {
  isCut: boolean;
}

/** A 64-bit number as protobufjs gives it. */
interface Wide {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
  toString(): string;
}

/** Senders choose every string and number: what canonical JSON cannot hold is replaced here, once, for every view. */
export function plainView(view: View): View {
  const limits = { isCut: false };
  const plainest = plain(view, DEEPEST, limits) as unknown as View;
  return limits.isCut
    ? { ...plainest, unread: [...(plainest.unread ?? []), `lists over ${MOST_ITEMS} items`] }
    : plainest;
}

/** What senders may make long: what lies beyond is in the bytes only, and {@link plainView} says so. */
export function listed<T>(list: readonly T[] | null | undefined): readonly T[] {
  return (list ?? []).slice(0, MOST_ITEMS + 1);
}

function plain(value: unknown, depth: number, limits: Limits): Json | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : value.toWellFormed();
    case 'boolean':
      return value;
    case 'number':
      return Number.isSafeInteger(value) ? value : String(value);
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : compound(value, depth - 1, limits);
    default:
      return undefined;
  }
}

function compound(value: object, depth: number, limits: Limits): Json {
  if (depth < 0) return 'too deep';
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) {
    if (value.length > MOST_ITEMS) limits.isCut = true;
    return value.slice(0, MOST_ITEMS).map((item: unknown) => plain(item, depth, limits) ?? null);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.getTime();
  if (value instanceof Map) return [...value].map((pair) => plain(pair, depth, limits) ?? null);
  if (value instanceof Set) return [...value].map((item) => plain(item, depth, limits) ?? null);
  if (isWide(value)) return integer(value) ?? value.toString();
  const members: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const [name, member] of Object.entries(value)) {
    const one = plain(member, depth, limits);
    if (one !== undefined) members[name.toWellFormed()] = one;
  }
  return { ...members };
}

function isWide(value: object): value is Wide {
  return 'low' in value && 'high' in value && 'unsigned' in value;
}

type Numeric = number | object | string | null | undefined;

/** An integer that a JSON number holds exactly; null for what is absent, or wider. */
export function integer(value: Numeric): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : null;
  if (typeof value !== 'object' || value === null || !isWide(value)) return null;
  const exact = Number(value.toString());
  return Number.isSafeInteger(exact) && Math.abs(exact) < MOST ? exact : null;
}

/** Milliseconds of a time in seconds; null for none (0 means none in WhatsApp's messages). */
export function msOfSeconds(value: Numeric): number | null {
  const seconds = integer(value);
  return seconds === null || seconds <= 0 || seconds > 1e11 ? null : seconds * 1000;
}

export function msOf(value: Numeric): number | null {
  const ms = integer(value);
  return ms === null || ms <= 0 ? null : ms;
}

/** Text that is there: empty counts as none. */
export function text(value: string | null | undefined): string | null {
  return value === undefined || value === null || value === '' ? null : value;
}

export function base64(bytes: Uint8Array | null | undefined): string | null {
  return bytes === undefined || bytes === null || bytes.length === 0 ? null : Buffer.from(bytes).toString('base64');
}

/** Degrees and other broken numbers as decimal text. */
export function decimal(value: number | null | undefined): string | null {
  return value === undefined || value === null || !Number.isFinite(value) ? null : String(value);
}
