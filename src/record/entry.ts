// SPDX-License-Identifier: Apache-2.0
import { canonicalize, type Json } from './canonical.ts';
import { entryPattern, GRAMMAR, PLAIN_CONTENT_PATTERN } from './entry-grammar.ts';
import type {
  ContentEntry,
  Entry,
  EntryType,
  EscrowEntry,
  GapEntry,
  LogRecord,
  Sealed,
  StreamRecord,
} from './entry-types.ts';
import { FormatError } from './format-error.ts';
import { leafHash, leafHashHex, sha256Hex, type Hash } from './hash.ts';

/** An entry's canonical bytes are hashed, signed over and stored as they are; 4 KiB is the most. */
export const MAX_ENTRY_BYTES = 4096;
/** A body over this becomes an object named in `obj`. */
export const MAX_BODY_BYTES = 65_536;
const BODY_LENGTHS = `a body of at most ${MAX_BODY_BYTES} bytes`;

/** Of one decryption key. */
export const MOST_SHARES = 255;

const patterns = Object.fromEntries(
  Object.keys(GRAMMAR).map((type) => [type, new RegExp(entryPattern(type as EntryType))]),
) as Readonly<Record<EntryType, RegExp>>;
const plainContent = new RegExp(PLAIN_CONTENT_PATTERN);
const STREAM_TYPES: ReadonlySet<string> = new Set([
  'content',
  'media',
  'access',
  'open',
  'close',
  'beat',
  'gap',
  'hole',
] satisfies StreamRecord['t'][]);

/** The canonical text of an entry. Throws like {@link parseEntry} if it breaks the grammar, so nothing ill-formed is ever written. */
export function encodeEntry(entry: Entry): string {
  const text = canonicalize(entry as unknown as Json);
  parseEntry(text);
  return text;
}

/**
 * Parses one line of the log. Throws `format/too-large`, `format/entry-type` (unknown `t`), `format/entry` (breaks the grammar, or
 * is not canonical) or `format/entry-rule` (a rule that no pattern expresses).
 */
export function parseEntry(text: string): Entry {
  if (text.length > MAX_ENTRY_BYTES) {
    throw new FormatError('format/too-large', `at most ${MAX_ENTRY_BYTES} bytes`, `${text.length}`);
  }
  const plain = readPlainContent(text);
  if (plain !== null) return plain;
  const type = typeOf(text);
  if (!patterns[type].test(text)) throw new FormatError('format/entry', `a canonical ${type} entry`, 'another text');
  const entry = JSON.parse(text) as Entry;
  assertRules(entry);
  return entry;
}

/** What nearly all lines are, checked and read in one go; null for all others. */
function readPlainContent(text: string): ContentEntry | null {
  const match = plainContent.exec(text);
  if (match === null) return null;
  const [, at = '', h = '', n, com = '', epoch = '', i, prev = '', ret = '', seq, stream = '', tag = ''] = match;
  const body = { h, n: Number(n) };
  const entry: ContentEntry = {
    v: 1,
    at,
    stream,
    seq: Number(seq),
    prev,
    t: 'content',
    ret,
    epoch,
    i: Number(i),
    body,
    com,
    tag,
  };
  assertRules(entry);
  return entry;
}

function typeOf(text: string): EntryType {
  // No member's value can hold `"t":"`: the grammar knows no quotes inside strings.
  const at = text.lastIndexOf('"t":"');
  const type = at < 0 ? '' : text.slice(at + 5, text.indexOf('"', at + 5));
  if (!Object.hasOwn(patterns, type)) throw new FormatError('format/entry-type', 'a known entry type', 'another one');
  return type as EntryType;
}

export function isStreamRecord(entry: Entry): entry is StreamRecord {
  return STREAM_TYPES.has(entry.t);
}

export function isLogRecord(entry: Entry): entry is LogRecord {
  return !STREAM_TYPES.has(entry.t);
}

/** The sealed part of an entry, or null if it has no body. */
export function sealedPart(entry: Entry): Sealed | null {
  return 'body' in entry && entry.body !== undefined ? (entry as Sealed) : null;
}

function rule(entry: Entry, holds: boolean, expected: string): void {
  if (!holds) throw new FormatError('format/entry-rule', expected, `another ${entry.t} entry`);
}

function assertRules(entry: Entry): void {
  if (isStreamRecord(entry)) {
    rule(entry, (entry.seq === 0) === (entry.t === 'open'), 'open as the record of seq 0, and there only');
  }
  switch (entry.t) {
    case 'content':
    case 'media':
    case 'access':
      return rule(entry, entry.body.n <= MAX_BODY_BYTES, BODY_LENGTHS);
    case 'gap':
      return assertGap(entry);
    case 'hole':
      return rule(entry, entry.count > 0, 'a count above 0');
    case 'beat':
      rule(entry, entry.part[0] >= 1 && entry.part[0] <= entry.part[1], 'part k of n');
      return rule(entry, isSorted(entry.heads.map(([stream]) => stream)), 'streams in ascending order, each once');
    case 'hold':
      // Taking a hold away is the one thing that one person could do harm with alone.
      rule(entry, entry.state !== 'released' || entry.by.length > 1, 'two approvals of a release');
      return rule(entry, isSorted(entry.by.map(({ key }) => key)), 'approvals in ascending order of key, each once');
    case 'escrow':
      return assertEscrow(entry);
    case 'disposition':
    case 'scrub':
      return rule(entry, isSorted(entry.by.map(({ key }) => key)), 'approvals in ascending order of key, each once');
    case 'pack':
    case 'repack':
      return rule(entry, isAscending(entry.leaves), 'ascending, disjoint, non-empty leaf ranges');
    case 'retention':
      return rule(entry, entry.period !== 'P' && entry.max !== 'P', 'a period');
    default:
      return undefined;
  }
}

function assertEscrow(escrow: EscrowEntry): void {
  const { act, by, ceremony, need, of, split, state } = escrow;
  rule(escrow, 2 <= need && need <= of && of <= MOST_SHARES, `2 to ${MOST_SHARES} shares, two of them needed at least`);
  rule(escrow, (act === 'split') === (split === ceremony), 'the split that made the shares');
  // Whoever holds this key reads everything: no one person may set about putting it together.
  rule(escrow, state !== 'announced' || by.length > 1, 'two approvals of an announcement');
  rule(escrow, isSorted(by.map(({ key }) => key)), 'approvals in ascending order of key, each once');
}

function assertGap(gap: GapEntry): void {
  const sealed = [gap.body, gap.com, gap.epoch, gap.i, gap.ret].filter((field) => field !== undefined).length;
  rule(gap, sealed === 0 || sealed === 5, 'all members of a sealed part or none');
  rule(gap, gap.body === undefined || gap.body.n <= MAX_BODY_BYTES, BODY_LENGTHS);
  rule(
    gap,
    (gap.state === 'open') === (gap.ref === undefined) || gap.state === 'final',
    'ref in a gap that closes another',
  );
}

function isSorted(names: readonly string[]): boolean {
  return names.every((name, index) => index === 0 || (names[index - 1] as string) < name);
}

function isAscending(ranges: readonly (readonly [number, number])[]): boolean {
  let next = 0;
  return ranges.every(([first, count]) => {
    const fits = first >= next && count > 0;
    next = first + count;
    return fits;
  });
}

/** Record id: RFC 6962 leaf hash of the entry's bytes, the next record's `prev`, and its leaf in the log. */
export function entryId(text: string): Hash {
  return leafHash(Buffer.from(text, 'latin1'));
}

/** {@link entryId} as records name it. */
export function entryIdHex(text: string): string {
  return leafHashHex(Buffer.from(text, 'latin1'));
}

/** `prev` of a stream's first record. */
export function genesisOf(origin: string, stream: string): string {
  return sha256Hex(`holdfast stream v1\n${origin}\n${stream}`);
}
