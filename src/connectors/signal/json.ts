// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Json } from '../../record/canonical.ts';

/** JSON as upstream writes it: integers may be wider than a double holds. */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | Fields;
export interface Fields {
  readonly [member: string]: JsonValue;
}

/** Only text with a run of digits this long can hold an integer beyond 2^53; all other text is parsed without a reviver. */
const WIDE = /\d{16}/;
const INTEGER = /^-?\d+$/;
/** Canonical JSON nests at most 128 deep; a view puts upstream values a few levels down. */
const MAX_DEPTH = 100;

/** Throws `SyntaxError`, and `RangeError` on text that nests too deep to be walked. */
export function parseJson(text: string): JsonValue {
  if (!WIDE.test(text)) return JSON.parse(text) as JsonValue;
  return parseWithSource(text, (_name, value, { source = '' }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    return INTEGER.test(source) ? BigInt(source) : value;
  });
}

/** `JSON.parse` as Node 24 has it: the reviver is told the text that a number was read from. */
const parseWithSource = JSON.parse as (
  text: string,
  revive: (name: string, value: JsonValue, context: { readonly source?: string }) => JsonValue,
) => JsonValue;

/** Bytes as text. What is no UTF-8 becomes U+FFFD: the raw bytes keep it. */
export function decodeText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** Any upstream value as canonical JSON can hold it: other numbers than safe integers become their decimal text. */
export function plain(value: JsonValue | undefined, depth = MAX_DEPTH): Json {
  if (value === undefined || value === null || depth <= 0) return null;
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value;
  return plainCompound(value, depth - 1);
}

function plainCompound(value: readonly JsonValue[] | Fields, depth: number): Json {
  if (isList(value)) return value.map((item) => plain(item, depth));
  // `fromEntries` defines members, so one named `__proto__` stays a member.
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toWellFormed(), plain(member, depth)]));
}

function isList(value: readonly JsonValue[] | Fields): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function fields(value: JsonValue | undefined): Fields | null {
  return typeof value === 'object' && value !== null && !isList(value) ? value : null;
}

export function list(value: JsonValue | undefined): readonly JsonValue[] {
  return typeof value === 'object' && value !== null && isList(value) ? value : [];
}

export function fieldsList(value: JsonValue | undefined): readonly Fields[] {
  return list(value).flatMap((item) => {
    const found = fields(item);
    return found === null ? [] : [found];
  });
}

/** Well-formed Unicode: a lone surrogate becomes U+FFFD. */
export function text(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? value.toWellFormed() : null;
}

export function integer(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

/** An integer of any width, exactly. */
export function decimal(value: JsonValue | undefined): string | null {
  if (typeof value === 'bigint') return String(value);
  const known = integer(value);
  return known === null ? null : String(known);
}
