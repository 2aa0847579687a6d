// SPDX-License-Identifier: AGPL-3.0-or-later

/** One field of a protobuf message, where it lies in the bytes. */
export interface WireField {
  readonly number: number;
  readonly type: number;
  /** Of the field with its key. */
  readonly start: number;
  readonly end: number;
  /** Of the value: the payload of a length-delimited one. */
  readonly from: number;
}

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;
const MOST_PATHS = 64;
const DEEPEST = 100;

/** Far above what clients write; somebody else's message must not make this process run out of memory. */
const MOST_FIELDS = 1_000_000;
const MOST_COMPARED = 50_000;

/**
 * Fields in the order they lie in. Null where the bytes are not a protobuf message, or one of more fields than `most`. Groups are not
 * read: WhatsApp has none.
 */
export function wireFields(bytes: Uint8Array, most = MOST_FIELDS): WireField[] | null {
  const fields: WireField[] = [];
  let at = 0;
  while (at < bytes.length) {
    const key = varint(bytes, at);
    if (key === null) return null;
    const type = key.value & 7;
    const number = Math.floor(key.value / 8);
    const range = valueRange(bytes, key.end, type);
    if (number === 0 || range === null || range.end > bytes.length) return null;
    if (fields.length >= most) return null;
    fields.push({ number, type, start: at, ...range });
    at = range.end;
  }
  return fields;
}

/** The bytes of a message inside a message, by field numbers: the last occurrence on each level, as decoders take it. */
export function subMessage(bytes: Uint8Array, path: readonly number[]): Uint8Array | null {
  let inner = bytes;
  for (const number of path) {
    const field = wireFields(inner)?.findLast((one) => one.number === number && one.type === DELIMITED);
    if (field === undefined) return null;
    inner = inner.subarray(field.from, field.end);
  }
  return inner;
}

/** The message without one of its fields; everything else byte for byte. */
export function withoutField(bytes: Uint8Array, number: number): Uint8Array {
  const kept = (wireFields(bytes) ?? []).filter((field) => field.number !== number);
  return Buffer.concat(kept.map(({ start, end }) => bytes.subarray(start, end)));
}

/** A length-delimited field. */
export function asField(number: number, bytes: Uint8Array): Uint8Array {
  const key = [number * 8 + 2];
  let { length } = bytes;
  while (length > 0x7f) {
    key.push((length & 0x7f) | 0x80);
    length = Math.floor(length / 0x80);
  }
  return Buffer.concat([Uint8Array.from([...key, length]), bytes]);
}

/**
 * What a decoder left out: paths of field numbers that `bytes` has and `again`, the same message decoded and encoded, has not or has
 * fewer times. A decoder that drops what it does not know is found out by what it cannot write back.
 */
export function unreadPaths(bytes: Uint8Array, again: Uint8Array): string[] {
  const found: string[] = [];
  compare(bytes, again, '', found, DEEPEST);
  return found;
}

function compare(bytes: Uint8Array, again: Uint8Array, prefix: string, found: string[], depth: number): void {
  if (depth === 0 || found.length >= MOST_PATHS || Buffer.compare(bytes, again) === 0) return;
  const left = wireFields(bytes, MOST_COMPARED);
  const right = wireFields(again, MOST_COMPARED);
  if (left === null || right === null) {
    // Not comparable, and not the same: text that is not UTF-8, mostly.
    found.push(prefix === '' ? '*' : prefix.slice(0, -1));
    return;
  }
  const decoded = grouped(right);
  for (const [number, ours] of grouped(left)) {
    if (found.length >= MOST_PATHS) return;
    const theirs = decoded.get(number) ?? [];
    const path = `${prefix}${number}`;
    const isScalarList = ours.length !== theirs.length && isPackable(ours, theirs);
    if (theirs.length < ours.length && !isScalarList) found.push(path);
    // Decoders keep the last of several: compare from the end.
    for (let back = 1; back <= Math.min(ours.length, theirs.length); back++) {
      const one = ours.at(-back);
      const other = theirs.at(-back);
      if (one?.type !== DELIMITED || other?.type !== DELIMITED) continue;
      compare(bytes.subarray(one.from, one.end), again.subarray(other.from, other.end), `${path}.`, found, depth - 1);
    }
  }
}

/** The same numbers may be written one by one or packed into one field. */
function isPackable(ours: readonly WireField[], theirs: readonly WireField[]): boolean {
  const isPacked = (fields: readonly WireField[]): boolean => fields.length === 1 && fields[0]?.type === DELIMITED;
  const isLoose = (fields: readonly WireField[]): boolean => fields.every(({ type }) => type !== DELIMITED);
  return (isPacked(theirs) && isLoose(ours)) || (isPacked(ours) && theirs.length > 0 && isLoose(theirs));
}

function grouped(fields: readonly WireField[]): Map<number, WireField[]> {
  const groups = new Map<number, WireField[]>();
  for (const field of fields) {
    const group = groups.get(field.number);
    if (group === undefined) groups.set(field.number, [field]);
    else group.push(field);
  }
  return groups;
}

function valueRange(bytes: Uint8Array, at: number, type: number): { from: number; end: number } | null {
  switch (type) {
    case VARINT: {
      const value = varint(bytes, at);
      return value === null ? null : { from: at, end: value.end };
    }
    case FIXED64:
      return { from: at, end: at + 8 };
    case FIXED32:
      return { from: at, end: at + 4 };
    case DELIMITED: {
      const length = varint(bytes, at);
      return length === null ? null : { from: length.end, end: length.end + length.value };
    }
    default:
      return null;
  }
}

/** Values beyond 2^53 lose their low bits: only their length matters here. */
function varint(bytes: Uint8Array, at: number): { value: number; end: number } | null {
  let value = 0;
  for (let n = 0; n < 10; n++) {
    const byte = bytes[at + n];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * n);
    if (byte < 0x80) return { value, end: at + n + 1 };
  }
  return null;
}
