// SPDX-License-Identifier: AGPL-3.0-or-later

// Cuts values out of JSON text byte for byte. The text is known to be JSON (it was parsed before), so only strings, escapes and
// nesting have to be understood.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING = new Set([0x7b, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OBJECT = 0x7b;
const LIST = 0x5b;

/** The exact bytes of a top-level member's value; of the last one where a name occurs twice, as `JSON.parse` decides. Null: no such member. */
export function sliceMember(json: Uint8Array, name: string): Uint8Array | null {
  let at = skipSpace(json, 0);
  if (json[at] !== OBJECT) return null;
  let found: Uint8Array | null = null;
  at = skipSpace(json, at + 1);
  while (json[at] === QUOTE) {
    const keyEnd = endOfString(json, at);
    const valueAt = skipSpace(json, skipPast(json, keyEnd, COLON));
    const valueEnd = endOfValue(json, valueAt);
    if (keyOf(json, at, keyEnd) === name) found = json.subarray(valueAt, valueEnd);
    at = skipSpace(json, skipPast(json, valueEnd, COMMA));
  }
  return found;
}

/** The exact bytes of each item of a top-level list. Null: no list. */
export function sliceItems(json: Uint8Array): Uint8Array[] | null {
  let at = skipSpace(json, 0);
  if (json[at] !== LIST) return null;
  const items: Uint8Array[] = [];
  at = skipSpace(json, at + 1);
  while (at < json.length && !CLOSING.has(json[at] as number)) {
    const end = endOfValue(json, at);
    items.push(json.subarray(at, end));
    at = skipSpace(json, skipPast(json, end, COMMA));
  }
  return items;
}

/** Where the value that begins at `at` ends. */
export function endOfValue(json: Uint8Array, start: number): number {
  let at = start;
  let depth = 0;
  while (at < json.length) {
    const byte = json[at] as number;
    if (byte === QUOTE) {
      at = endOfString(json, at);
      if (depth === 0) return at;
      continue;
    }
    if (OPENING.has(byte)) depth += 1;
    else if (CLOSING.has(byte)) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || SPACE.has(byte))) return at;
    at += 1;
  }
  return at;
}

function endOfString(json: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return Math.min(at + 1, json.length);
}

function keyOf(json: Uint8Array, start: number, end: number): string {
  return JSON.parse(Buffer.from(json.subarray(start, end)).toString('utf8')) as string;
}

function skipSpace(json: Uint8Array, start: number): number {
  let at = start;
  while (at < json.length && SPACE.has(json[at] as number)) at += 1;
  return at;
}

/** Behind the next `mark`, if only space stands before it; else where the space ends. */
function skipPast(json: Uint8Array, start: number, mark: number): number {
  const at = skipSpace(json, start);
  return json[at] === mark ? at + 1 : at;
}
