// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import { canonicalize, parseCanonical, type Json } from './canonical.ts';
import { FormatError } from './format-error.ts';
import { HASH_BYTES, leafHash, sha256Hex, type Hash } from './hash.ts';
import { decodeBase64, signBytes, verifyBytes, type KeyId, type SigningKey } from './key.ts';
import { EMPTY_RANGE, RangeBuilder, rangeLevels, rootOf, type CompactRange } from './merkle.ts';

const MAGIC = 'holdfast segment v1';
const SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const TAIL_CONTEXT = 'holdfast segment tail v1';
/** Far above what a writer makes (4 MiB); a reader refuses more. */
export const MAX_SEGMENT_BYTES = 128 * 1024 * 1024;
/** Far above what a writer makes; it bounds what a reader allocates for a segment that is nothing but line ends. */
const MAX_SEGMENT_LINES = 1_048_576;
const NEWLINE = 0x0a;

/** The first lines of a segment: how many of what follow, and where in the log it stands. */
export interface SegmentHead {
  readonly origin: string;
  /** Number of its first leaf: the size of the log before it. */
  readonly first: number;
  readonly entries: number;
  readonly batches: number;
  readonly docs: number;
  /** Compact range of the log before it, so that a reader can start here. */
  readonly edge: CompactRange;
  /** The signed checkpoint of the log before it; empty in the first segment. */
  readonly checkpoint: string;
}

/** The last line: the tree head after this segment, under the archiver's own key. */
export interface SegmentTail {
  readonly at: string;
  readonly key: string;
  readonly root: Hash;
  readonly size: number;
  readonly sig: Buffer;
}

export interface SegmentParts {
  readonly origin: string;
  readonly before: CompactRange;
  readonly checkpoint: string;
  /** Epoch JWEs and key documents, one line each, as stored. */
  readonly docs: readonly string[];
  /** Statements of the batches whose records come first, in order. */
  readonly batches: readonly string[];
  /** The records of all batches as they arrived: header lines, each with its line end, and how many they are. */
  readonly records?: { readonly lines: readonly Buffer[]; readonly count: number };
  /** Canonical entries behind these: the log's own, and records that are at hand as text. */
  readonly entries: readonly string[];
  readonly at: string;
}

/** A segment with the leaf hashes of its entries. */
export interface WrittenSegment {
  readonly bytes: Buffer;
  readonly leaves: readonly Hash[];
}

/** A parsed segment. Lines are views into its bytes. */
export interface Segment {
  readonly head: SegmentHead;
  readonly tail: SegmentTail;
  /** SHA-256 of everything before the tail, hex: what the tail's signature covers. */
  readonly digest: string;
  readonly docs: readonly Buffer[];
  readonly batches: readonly Buffer[];
  readonly entries: readonly Buffer[];
}

function tailJson(parts: {
  origin: string;
  at: string;
  key: string;
  root: Hash;
  size: number;
  digest: string;
}): Record<string, Json> {
  const { at, digest, key, origin, root, size } = parts;
  return { at, ctx: TAIL_CONTEXT, key, origin, root: root.toString('base64'), seg: digest, size };
}

/** Writes a segment and signs its tree head with the archiver's own key (not the log's). Throws like {@link parseSegment}. */
export function encodeSegment(parts: SegmentParts, archiver: SigningKey, privateKey: KeyObject): Buffer {
  return writeSegment(parts, archiver, privateKey).bytes;
}

/** {@link encodeSegment}, with the leaf hashes, which are those of the lines as they stand in it. */
export function writeSegment(parts: SegmentParts, archiver: SigningKey, privateKey: KeyObject): WrittenSegment {
  const { before, origin } = parts;
  const body = bodyOf(parts);
  const leaves = splitLines(body)
    .slice(2 + parts.docs.length + parts.batches.length)
    .map(leafHash);
  const tree = new RangeBuilder(before);
  for (const leaf of leaves) tree.appendLeaf(leaf);
  const root = rootOf(tree.range());
  const tail = tailJson({ origin, at: parts.at, key: archiver.id, root, size: tree.end, digest: sha256Hex(body) });
  const sig = signBytes(privateKey, canonicalize(tail)).toString('base64');
  const bytes = Buffer.concat([body, Buffer.from(`${canonicalize({ ...tail, sig })}\n`)]);
  // A line end inside a document would make a segment that takes its place in the log and that nobody can read.
  parseSegment(bytes);
  return { bytes, leaves };
}

/** All lines before the tail. */
function bodyOf(parts: SegmentParts): Buffer {
  const { before, origin, records = { lines: [], count: 0 } } = parts;
  const head = canonicalize({
    batches: parts.batches.length,
    checkpoint: parts.checkpoint,
    docs: parts.docs.length,
    edge: before.hashes.map((hash) => hash.toString('base64')),
    entries: records.count + parts.entries.length,
    first: before.end,
    origin,
  });
  const lines = [MAGIC, head, ...parts.docs, ...parts.batches];
  const own = parts.entries.map((entry) => `${entry}\n`).join('');
  return Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), ...records.lines, Buffer.from(own)]);
}

/**
 * Parses the form of a segment: counts, edge, tail. Throws `format/segment` or `format/too-large`. It checks neither entries nor
 * signatures: {@link verifyTail} and the readers of the lines do.
 */
export function parseSegment(bytes: Buffer): Segment {
  if (bytes.length > MAX_SEGMENT_BYTES) {
    throw new FormatError('format/too-large', `at most ${MAX_SEGMENT_BYTES} bytes`, String(bytes.length));
  }
  const lines = splitLines(bytes);
  const [magic, headLine] = lines;
  const tailLine = lines.at(-1);
  if (magic === undefined || headLine === undefined || tailLine === undefined || magic.toString('latin1') !== MAGIC) {
    throw new FormatError('format/segment', `a first line "${MAGIC}"`, 'another');
  }
  const head = parseHead(decodeLine(headLine));
  const expected = 3 + head.docs + head.batches + head.entries;
  if (lines.length !== expected) throw new FormatError('format/segment', `${expected} lines`, String(lines.length));
  const batchesFrom = 2 + head.docs;
  const entriesFrom = batchesFrom + head.batches;
  const digest = sha256Hex(bytes.subarray(0, bytes.length - tailLine.length - 1));
  return {
    head,
    tail: parseTail(decodeLine(tailLine), head, digest),
    digest,
    docs: lines.slice(2, batchesFrom),
    batches: lines.slice(batchesFrom, entriesFrom),
    entries: lines.slice(entriesFrom, entriesFrom + head.entries),
  };
}

function splitLines(bytes: Buffer): Buffer[] {
  if (bytes.at(-1) !== NEWLINE) throw new FormatError('format/segment', 'a final newline', 'none');
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, start);
    if (lines.length === MAX_SEGMENT_LINES) {
      throw new FormatError('format/too-large', `at most ${MAX_SEGMENT_LINES} lines`, 'more');
    }
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeLine(line: Buffer): string {
  try {
    return utf8.decode(line);
  } catch {
    throw new FormatError('format/segment', 'UTF-8 text', 'other bytes');
  }
}

function count(value: Json | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new FormatError('format/segment', 'a count', typeof value);
  }
  return value;
}

function text(value: Json | undefined): string {
  if (typeof value !== 'string') throw new FormatError('format/segment', 'a string', typeof value);
  return value;
}

function time(value: string): string {
  if (SECONDS.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw new FormatError('format/segment', 'a time in whole seconds, UTC', 'another text');
}

/** The object of a canonical line with exactly these members. */
function members(line: string, names: readonly string[]): Readonly<Record<string, Json>> {
  const value = parseCanonical(line);
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== names.join()) {
    throw new FormatError('format/segment', `an object of ${names.join(', ')}`, 'another value');
  }
  return value as Readonly<Record<string, Json>>;
}

function parseHead(line: string): SegmentHead {
  const head = members(line, ['batches', 'checkpoint', 'docs', 'edge', 'entries', 'first', 'origin']);
  const first = count(head['first']);
  if (!Array.isArray(head['edge'])) throw new FormatError('format/segment', 'a list of hashes', 'another edge');
  const hashes = head['edge'].map((hash: Json) => parseHash(text(hash)));
  if (hashes.length !== rangeLevels(0, first).length) {
    throw new FormatError('format/segment', `the edge of ${first} leaves`, `${hashes.length} hashes`);
  }
  const entries = count(head['entries']);
  // An empty segment would take the name of the one behind it.
  if (entries === 0) throw new FormatError('format/segment', 'an entry at least', 'none');
  return {
    origin: text(head['origin']),
    first,
    entries,
    batches: count(head['batches']),
    docs: count(head['docs']),
    edge: first === 0 ? EMPTY_RANGE : { begin: 0, end: first, hashes },
    checkpoint: text(head['checkpoint']),
  };
}

function parseHash(base64: string): Hash {
  const hash = decodeBase64('format/segment', base64);
  if (hash.length !== HASH_BYTES) throw new FormatError('format/segment', 'a 32-byte hash', `${hash.length} bytes`);
  return hash;
}

function keyId(value: string): KeyId {
  if (!/^[0-9a-f]{32}$/.test(value)) throw new FormatError('format/segment', 'a key id', `${value.length} characters`);
  return value;
}

function parseTail(line: string, head: SegmentHead, digest: string): SegmentTail {
  const tail = members(line, ['at', 'ctx', 'key', 'origin', 'root', 'seg', 'sig', 'size']);
  const size = count(tail['size']);
  if (tail['ctx'] !== TAIL_CONTEXT || tail['origin'] !== head.origin || size !== head.first + head.entries) {
    throw new FormatError('format/segment', 'a tail that fits the head', 'another tail');
  }
  if (tail['seg'] !== digest) throw new FormatError('format/segment', 'the digest of this segment', 'another digest');
  return {
    at: time(text(tail['at'])),
    key: keyId(text(tail['key'])),
    root: parseHash(text(tail['root'])),
    size,
    sig: decodeBase64('format/segment', text(tail['sig'])),
  };
}

/** Throws `format/segment-signature` unless `key` is the archiver key the tail names and the signature is its. */
export function verifyTail({ head, tail, digest }: Segment, key: SigningKey): void {
  const signed = canonicalize(tailJson({ origin: head.origin, ...tail, digest }));
  if (key.id !== tail.key || !verifyBytes(key, signed, tail.sig)) {
    throw new FormatError('format/segment-signature', `a signature by ${tail.key}`, 'one that does not verify');
  }
}
