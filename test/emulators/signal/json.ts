// SPDX-License-Identifier: AGPL-3.0-or-later

/** A JSON value as signal-cli writes it: integers may be 64 bits wide. Members that are `undefined` are left out. */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [member: string]: JsonValue | undefined };

/** JSON text as Jackson (signal-cli) writes it: members in the order given, control characters in upper-case hex. */
export function encodeJackson(value: JsonValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return jacksonString(value);
  if (isArray(value)) return `[${value.map(encodeJackson).join(',')}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${jacksonString(name)}:${encodeJackson(member ?? null)}`).join(',')}}`;
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function jacksonString(text: string): string {
  return JSON.stringify(text).replaceAll(/\\(?:u([0-9a-f]{4})|.)/g, (escape: string, hex: string | undefined) =>
    hex === undefined ? escape : `\\u${hex.toUpperCase()}`,
  );
}

const goEscapes: Readonly<Record<string, string>> = {
  '&': '\\u0026',
  '<': '\\u003c',
  '>': '\\u003e',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON text as Go's `encoding/json` (the REST API) writes it: safe for HTML, so `&` is written as `\u0026`. */
export function encodeGo(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[&<>\u2028\u2029]/g, (char) => goEscapes[char] ?? char);
}
