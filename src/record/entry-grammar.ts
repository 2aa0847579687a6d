// SPDX-License-Identifier: Apache-2.0
import type { EntryType } from './entry-types.ts';
import { ORIGIN_PATTERN } from './origin.ts';
import {
  APPS,
  CLOSE_REASONS,
  ESCROW_ACTS,
  ESCROW_STATES,
  GAP_CAUSES,
  GAP_SCOPES,
  GAP_STATES,
  HOLD_STATES,
  KEY_KINDS,
  LOCK_MODES,
  STORE_CREATES,
  STORE_KINDS,
  STREAM_ROLES,
} from './vocabulary.ts';

// The grammar is written so that a match *is* canonical JSON: fixed key order, one spelling per value, no escapes. One regular
// expression per entry type then checks form and canonical encoding at once, in any language.

const hex128 = '"[0-9a-f]{32}"';
const hex256 = '"[0-9a-f]{64}"';
/** Below 10^15, so that every JSON reader holds it exactly. */
const integer = '(?:0|[1-9][0-9]{0,14})';
const seconds = '"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"';
const retentionClass = '"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"';
const origin = `"${ORIGIN_PATTERN}"`;
/** Printable ASCII without quote and backslash: what JCS writes without escapes. */
const text = '"[ !#-\\[\\]-~]{1,200}"';
/** Base64 of 64 bytes; its last character has four bits that no byte uses, so only four spell it canonically. */
const signature = '"[A-Za-z0-9+/]{85}[AQgw]=="';
const period = '"P(?:[1-9][0-9]{0,3}Y)?(?:[1-9][0-9]{0,3}M)?(?:[1-9][0-9]{0,4}D)?"';
const boolean = '(?:true|false)';

const word = (words: readonly string[]): string => `"(?:${words.join('|')})"`;
const list = (item: string, most: number): string => `\\[${item}(?:,${item}){0,${most - 1}}\\]`;
const record = (fields: Fields): string => `\\{${members(fields)}\\}`;

/** Member name → pattern of its value; a trailing `?` marks an optional member. */
type Fields = Readonly<Record<string, string>>;

const bytesRef = record({ h: hex256, n: integer });
const head = record({ id: hex256, seq: integer, stream: hex128 });
const leafRange = `\\[${integer},${integer}\\]`;
const approvals = list(record({ key: hex128, sig: signature }), 8);

const MOST_OBJECTS = 16;
export const MOST_BEAT_HEADS = 24;
export const MOST_LEAF_RANGES = 64;

const inStream: Fields = { at: seconds, prev: hex256, seq: integer, stream: hex128 };
const inLog: Fields = { at: seconds, log: origin };
const sealed: Fields = { body: bytesRef, com: hex256, epoch: hex256, i: integer, ret: retentionClass };
const pack: Fields = {
  h: hex256,
  leaves: list(leafRange, MOST_LEAF_RANGES),
  n: integer,
  ret: retentionClass,
  until: seconds,
};

function optional(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, pattern]) => [`${name}?`, pattern]));
}

/** The members of every entry type, besides `t` and `v`. */
export const GRAMMAR: Readonly<Record<EntryType, Fields>> = {
  content: { ...inStream, ...sealed, 'obj?': list(bytesRef, MOST_OBJECTS), tag: hex128 },
  media: { ...inStream, ...sealed, obj: list(bytesRef, MOST_OBJECTS), tag: hex128 },
  access: { ...inStream, ...sealed, tag: hex128 },
  open: {
    ...inStream,
    acct: hex128,
    app: word(APPS),
    gen: integer,
    key: hex128,
    'last?': head,
    role: word(STREAM_ROLES),
  },
  close: { ...inStream, reason: word(CLOSE_REASONS) },
  beat: {
    ...inStream,
    heads: list(`\\[${hex128},${integer},${hex256}\\]`, MOST_BEAT_HEADS).replace(/^\\\[(.*)\\\]$/, '\\[(?:$1)?\\]'),
    part: leafRange,
  },
  gap: {
    ...inStream,
    ...optional(sealed),
    cause: word(GAP_CAUSES),
    'count?': integer,
    'from?': seconds,
    'last?': head,
    'ref?': hex256,
    scope: word(GAP_SCOPES),
    state: word(GAP_STATES),
    'tag?': hex128,
    'to?': seconds,
  },
  hole: { ...inStream, count: integer, last: hex256 },
  pack: { ...inLog, ...pack },
  repack: { ...inLog, ...pack, from: hex256 },
  heads: { ...inLog, file: bytesRef, root: hex256, streams: integer },
  key: { ...inLog, doc: hex256, kind: word(KEY_KINDS), n: integer },
  store: { ...inLog, create: word(STORE_CREATES), hold: boolean, kind: word(STORE_KINDS), locks: boolean },
  retention: { ...inLog, authority: text, class: retentionClass, max: period, mode: word(LOCK_MODES), period },
  hold: { ...inLog, by: approvals, hold: hex128, matter: text, objects: bytesRef, state: word(HOLD_STATES) },
  disposition: { ...inLog, authority: text, by: approvals, objects: bytesRef },
  escrow: {
    ...inLog,
    act: word(ESCROW_ACTS),
    authority: text,
    by: approvals,
    ceremony: hex128,
    key: hex128,
    need: integer,
    of: integer,
    split: hex128,
    state: word(ESCROW_STATES),
  },
  scrub: { ...inLog, by: approvals, bytes: integer, findings: integer, from: seconds, objects: integer, size: integer },
};

/**
 * Members in canonical order. Every pattern carries the comma before it, so optional members need no look-around; the first
 * member of an object must therefore be a required one, as `at`, `acct` and `h` are.
 */
function members(fields: Fields): string {
  const names = Object.keys(fields).toSorted((a, b) => (bare(a) < bare(b) ? -1 : 1));
  return names
    .map((name, index) => {
      const member = `${index === 0 ? '' : ','}"${bare(name)}":${fields[name] as string}`;
      return name.endsWith('?') ? `(?:${member})?` : member;
    })
    .join('');
}

function bare(name: string): string {
  return name.endsWith('?') ? name.slice(0, -1) : name;
}

export function entryPattern(type: EntryType): string {
  return `^${record({ ...GRAMMAR[type], t: `"${type}"`, v: '1' })}$`;
}

/**
 * `content` without objects, which nearly all entries are: the same grammar with the values as groups, in canonical order, so that one
 * match checks and reads it. A text that does not match is not refused by that.
 */
export const PLAIN_CONTENT_PATTERN = `^${record({
  ...captured({ ...inStream, ...sealed, tag: hex128 }),
  body: record(captured({ h: hex256, n: integer })),
  t: '"content"',
  v: '1',
})}$`;

function captured(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, pattern]) => [name, group(pattern)]));
}

function group(pattern: string): string {
  return pattern.startsWith('"') ? `"(${pattern.slice(1, -1)})"` : `(${pattern})`;
}
