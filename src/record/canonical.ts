// SPDX-License-Identifier: Apache-2.0
import { FormatError } from './format-error.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Far above what anything here nests; a fixed bound, so that hostile text cannot exhaust the stack. */
const MAX_DEPTH = 128;

/**
 * RFC 8785 (JCS): one value, one byte string. Keys in UTF-16 code unit order, numbers and strings as ECMAScript prints them.
 * Throws `format/not-canonical` for what JSON cannot hold (NaN, infinities, lone surrogates, `undefined`) and for what nests deeper
 * than 128.
 */
export function canonicalize(value: Json): string {
  return canonicalValue(value, MAX_DEPTH);
}

function canonicalValue(value: Json, depth: number): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value);
    case 'number':
      if (!Number.isFinite(value)) throw new FormatError('format/not-canonical', 'a finite number', String(value));
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : canonicalCompound(value, depth - 1);
    default:
      throw new FormatError('format/not-canonical', 'a JSON value', typeof value);
  }
}

function canonicalCompound(value: readonly Json[] | { readonly [key: string]: Json }, depth: number): string {
  if (depth < 0) throw new FormatError('format/not-canonical', `at most ${MAX_DEPTH} levels`, 'deeper nesting');
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalValue(item, depth)).join(',')}]`;
  const object = value as { readonly [key: string]: Json };
  const members: string[] = [];
  for (const key of Object.keys(object).toSorted()) {
    members.push(`${canonicalString(key)}:${canonicalValue(object[key] as Json, depth)}`);
  }
  return `{${members.join(',')}}`;
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new FormatError('format/not-canonical', 'well-formed Unicode', 'a lone surrogate');
  return JSON.stringify(text);
}

/**
 * Parses text and demands that it is exactly what {@link canonicalize} writes, which rules out duplicate keys, other
 * encodings of the same value, and white space. Throws `format/not-json` or `format/not-canonical`.
 */
export function parseCanonical(text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw new FormatError('format/not-json', 'JSON', `${text.length} characters that do not parse`);
  }
  if (canonicalize(value) !== text) {
    throw new FormatError('format/not-canonical', 'RFC 8785 canonical JSON', 'another encoding of the same value');
  }
  return value;
}
