// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { signCheckpoint, type Checkpoint } from '../../src/record/checkpoint.ts';
import { PARTS } from '../../src/record/commitment.ts';
import { entryId } from '../../src/record/entry.ts';
import type { FormatCode } from '../../src/record/format-error.ts';
import { encodeHeads, type Heads, type StreamState } from '../../src/record/heads.ts';
import { sha256, sha256Hex } from '../../src/record/hash.ts';
import { signBytes } from '../../src/record/key.ts';
import { manifestHash, signManifest, type Manifest } from '../../src/record/manifest.ts';
import { encodeVerifierKey, noteKey, signNote } from '../../src/record/note.ts';
import { encodeReceipt, type Receipt } from '../../src/record/receipt.ts';
import { referenceLeaf, referencePath, referenceProof, referenceRoot, someLeaves } from '../record/reference-tree.ts';
import { ARCHIVER, AT, CONNECTOR, ESCROW, hexOf, LOG, ORIGIN, READER, ROOT, STREAM } from './keys.ts';
import { ENTRIES, type Case } from './record-vectors.ts';
import { nextSegment, segmentParts, SmallLog, smallSegment } from './small-log.ts';
import { encodeEntry } from '../../src/record/entry.ts';

const bad = (name: string, text: string, error: FormatCode): Case => ({ name, text, expect: { error } });
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export const LOG_NOTE_KEY = noteKey(ORIGIN, LOG.key);
export const CHECKPOINT: Checkpoint = { origin: ORIGIN, size: 1234, root: sha256('root') };

export function checkpointVectors(): { vkey: string; cases: readonly Case[] } {
  const note = signCheckpoint(CHECKPOINT, LOG.privateKey);
  const body = `${ORIGIN}\n1234\n${base64(CHECKPOINT.root)}\n`;
  const signed = (text: string, name: string = ORIGIN): string => signNote(text, name, LOG.privateKey);
  const ok = { ok: { origin: ORIGIN, size: 1234, root: base64(CHECKPOINT.root) } };
  const cases: Case[] = [
    { name: 'a checkpoint', text: note, expect: ok },
    { name: 'a checkpoint with an extension line', text: signed(`${body}extension\n`), expect: ok },
    { name: 'a checkpoint with a line of a signer unknown here', text: `${note}— other AAAAAAA=\n`, expect: ok },
    bad('another size under the same signature', note.replace('1234', '1235'), 'format/note-signature'),
    bad('the log key under another name', signed(body, 'archive.example/other'), 'format/note-signature'),
    bad('another key under the name', signNote(body, ORIGIN, ARCHIVER.privateKey), 'format/note-signature'),
    bad('another origin', signed(`archive.example/other\n${body.slice(ORIGIN.length + 1)}`), 'format/checkpoint'),
    bad('an empty extension line', signed(`${body}\nextension\n`), 'format/checkpoint'),
    bad('a leading zero', signed(body.replace('1234', '01234')), 'format/checkpoint'),
    bad('a size no number holds', signed(body.replace('1234', '9007199254740993')), 'format/checkpoint'),
    bad('a root of 31 bytes', signed(`${ORIGIN}\n1234\n${base64(CHECKPOINT.root.subarray(1))}\n`), 'format/checkpoint'),
    bad('two lines', signed(`${ORIGIN}\n1234\n`), 'format/checkpoint'),
    bad('no signature', body, 'format/note'),
    bad('a signature in another spelling of base64', note.replace(/=\n$/, '\n'), 'format/note'),
  ];
  return { vkey: encodeVerifierKey(LOG_NOTE_KEY), cases };
}

export const MANIFEST: Manifest = {
  origin: ORIGIN,
  n: 0,
  at: AT,
  previous: null,
  evaluation: true,
  recipients: [READER.recipient, ESCROW.recipient],
  signers: [
    { role: 'archiver', name: 'archiver', pub: base64(ARCHIVER.key.raw) },
    { role: 'connector', name: 'connector-1', pub: base64(CONNECTOR.key.raw) },
  ],
};

/** Any content under the root's signature, whether {@link signManifest} would sign it or not. */
export function signedByRoot(manifest: Json, more: Readonly<Record<string, Json>> = {}): string {
  const sig = base64(signBytes(ROOT.privateKey, canonicalize(manifest)));
  return canonicalize({ manifest, root: ROOT.key.id, sig, ...more });
}

export function manifestVectors(): { root: string; origin: string; cases: readonly Case[] } {
  const text = signManifest(MANIFEST, ROOT.privateKey);
  const { manifest } = JSON.parse(text) as { manifest: { [key: string]: Json } };
  const next = signManifest({ ...MANIFEST, n: 1, previous: manifestHash(text) }, ROOT.privateKey);
  const [reader, escrow] = MANIFEST.recipients as unknown as [Json, Json];
  const wrong = (name: string, change: Readonly<Record<string, Json>>, error: FormatCode = 'format/manifest'): Case =>
    bad(name, signedByRoot({ ...manifest, ...change }), error);
  const cases: Case[] = [
    { name: 'the first manifest', text, expect: { ok: { n: 0, hash: manifestHash(text) } } },
    { name: 'the next manifest', text: next, expect: { ok: { n: 1, hash: manifestHash(next) } } },
    bad('by another root', signManifest(MANIFEST, LOG.privateKey), 'format/manifest-signature'),
    bad('changed', text.replace('connector-1', 'connector-2'), 'format/manifest-signature'),
    bad('with a member that nobody signed', signedByRoot(manifest, { more: 1 }), 'format/manifest'),
    bad('with white space', text.replace(',', ', '), 'format/not-canonical'),
    bad('with a member twice', text.replace('"root":', `"root":"${ROOT.key.id}","root":`), 'format/not-canonical'),
    bad('of another log', signManifest({ ...MANIFEST, origin: 'other.example/log' }, ROOT.privateKey), 'format/manifest-origin'),
    wrong('of another context', { ctx: 'holdfast manifest v2' }),
    wrong('with an unknown member', { zeal: 1 }),
    wrong('without escrow', { recipients: [reader] }),
    wrong('without reader', { recipients: [escrow] }),
    wrong('with a recipient twice', { recipients: [reader, escrow, escrow] }),
    wrong('with a point off the curve', { recipients: [reader, { ...(escrow as object), x: 'A'.repeat(64) }] }),
    wrong('with the key id of another', { recipients: [reader, { ...(escrow as object), kid: READER.recipient.kid }] }),
    wrong('with an unknown role', { signers: [{ role: 'boss', name: 'x', pub: base64(LOG.key.raw) }] }),
    wrong('with a signer of small order', { signers: [{ role: 'officer', name: 'x', pub: base64(Buffer.alloc(32)) }] }, 'format/key'),
    wrong('first, but with one before', { previous: hexOf('x') }),
    wrong('second, but without one before', { n: 1 }),
    bad('null', 'null', 'format/manifest'),
  ];
  return { root: base64(ROOT.key.raw), origin: ORIGIN, cases };
}

const state = (word: string, closed: boolean): StreamState => ({
  stream: hexOf(word, 32),
  seq: 3,
  id: hexOf(`${word} id`),
  acct: hexOf('account', 32),
  app: 'signal',
  role: 'account',
  gen: 0,
  key: CONNECTOR.key.id,
  leaf: 3,
  closed,
  at: AT,
});

export const HEADS: Heads = {
  origin: ORIGIN,
  leaves: 5,
  docs: [signManifest(MANIFEST, ROOT.privateKey)],
  rules: [encodeEntry(ENTRIES['store'] as (typeof ENTRIES)[string]), encodeEntry(ENTRIES['retention'] as (typeof ENTRIES)[string])],
  streams: [state('one', true), state('two', false), state('three', false)].toSorted((a, b) => (a.stream < b.stream ? -1 : 1)),
};

export function headsVectors(): readonly Case[] {
  const text = encodeHeads(HEADS).toString('utf8');
  const root = base64(referenceRoot(HEADS.streams.map(({ stream, seq, id }) => referenceLeaf(Buffer.from(`${stream} ${seq} ${id}\n`)))));
  const lines = text.split('\n');
  const swapped = [...lines.slice(0, -3), lines.at(-2), lines.at(-3), ''].join('\n');
  const twice = [...lines.slice(0, -3), lines.at(-3), lines.at(-3), ''].join('\n');
  return [
    { name: 'heads of three streams', text, expect: { ok: { leaves: 5, streams: 3, root } } },
    bad('streams out of order', swapped, 'format/heads'),
    bad('a stream twice', twice, 'format/heads'),
    bad('a line too few', `${lines.slice(0, -2).join('\n')}\n`, 'format/heads'),
    bad('no final newline', text.slice(0, -1), 'format/heads'),
    bad('another first line', text.replace('v1', 'v2'), 'format/heads'),
    bad('a stream with an unknown member', text.replace('"acct"', '"aaaa":1,"acct"'), 'format/heads'),
    bad('a stream of an unknown app', text.replace('"app":"signal"', '"app":"telegram"'), 'format/heads'),
    bad('white space', text.replace('"leaves":5', '"leaves": 5'), 'format/not-canonical'),
  ];
}

export interface ReceiptCase extends Case {
  readonly last: { readonly size: number; readonly root: string } | null;
}

export function receiptVectors(): { vkey: string; cases: readonly ReceiptCase[] } {
  const log = new SmallLog(someLeaves(20));
  const other = new SmallLog(someLeaves(21).slice(1));
  const at = (size: number, from: SmallLog = log): ReceiptCase['last'] => ({ size, root: base64(from.tree.root(size)) });
  const receipt = log.receipt(7, [2, 12]);
  const make = (name: string, last: ReceiptCase['last'], change: Partial<Receipt>, error?: FormatCode): ReceiptCase => ({
    name,
    last,
    text: encodeReceipt({ ...receipt, ...change }),
    expect: error === undefined ? { ok: { size: 20, root: base64(log.tree.root()), leaves: [2, 12] } } : { error },
  });
  const [item] = receipt.items as [Receipt['items'][number]];
  const cases = [
    make('since the last accepted size', at(7), {}),
    make('the first receipt of all', null, {}),
    make('the same checkpoint again', at(20), { since: 20, consistency: [] }),
    make('since another size', at(8), {}, 'format/receipt'),
    make('from a log that forked before', at(7, other), {}, 'format/root'),
    make('the same size with another root', at(20, other), { since: 20, consistency: [] }, 'format/root'),
    make('from a smaller log than the last', { size: 21, root: base64(other.tree.root()) }, { since: 21, consistency: [] }, 'format/proof'),
    make('without consistency proof', at(7), { consistency: [] }, 'format/proof'),
    make('with a proof for another leaf', at(7), { items: [{ ...item, leaf: 3 }] }, 'format/root'),
    make('with another id', at(7), { items: [{ ...item, id: hexOf('x') }] }, 'format/root'),
    make('with a proof too short', at(7), { items: [{ ...item, inclusion: item.inclusion.slice(1) }] }, 'format/proof'),
    make('with a leaf beyond the log', at(7), { items: [{ ...item, leaf: 20 }] }, 'format/proof'),
    make('by another log key', at(7), { checkpoint: signCheckpoint(log.checkpoint(), ARCHIVER.privateKey) }, 'format/note-signature'),
  ];
  return { vkey: encodeVerifierKey(LOG_NOTE_KEY), cases };
}

export function segmentVectors(): { archiver: string; cases: readonly Case[] } {
  const text = smallSegment().toString('utf8');
  const next = nextSegment().toString('utf8');
  const leaves = segmentParts().entries.map((line) => entryId(line));
  const ok = (name: string, segment: string, before: readonly Buffer[]): Case => {
    const body = segment.slice(0, segment.lastIndexOf('\n', segment.length - 2) + 1);
    const root = base64(referenceRoot([...before, ...leaves]));
    return { name, text: segment, expect: { ok: { size: before.length + leaves.length, root, digest: sha256Hex(body) } } };
  };
  const cases = [
    ok('the first segment', text, []),
    ok('the segment behind it', next, leaves),
    bad('an entry changed', text.replace('"seq":3', '"seq":4'), 'format/segment'),
    bad('a line too few', text.replace(/\{"acct.*\n/, ''), 'format/segment'),
    bad('a line too many', text.replace('{"acct', 'x\n{"acct'), 'format/segment'),
    bad('no tail', text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1), 'format/segment'),
    bad('no final newline', text.slice(0, -1), 'format/segment'),
    bad('a tail for another size', text.replace('"size":5', '"size":6'), 'format/segment'),
    bad('a tail with another root', text.replace(/"root":"[^"]*"/, `"root":"${base64(sha256('x'))}"`), 'format/segment-signature'),
    bad('a tail by another key', text.replace(ARCHIVER.key.id, LOG.key.id), 'format/segment-signature'),
    bad('an edge too long', text.replace('"edge":[]', `"edge":["${base64(sha256('x'))}"]`), 'format/segment'),
  ];
  return { archiver: base64(ARCHIVER.key.raw), cases };
}

export function commitmentVectors(): Json {
  const parts = { cap: '{"intake":1}', view: 'what was understood', raw: '' };
  const labels = { cap: '02', view: '03', raw: '04' };
  const cases = PARTS.map((name) => {
    const [salt, bytes] = [hexOf(`salt ${name}`), Buffer.from(parts[name])];
    const length = bytes.length.toString(16).padStart(8, '0');
    const hashed = Buffer.from(`${labels[name]}${salt}${length}${bytes.toString('hex')}`, 'hex');
    return { name, salt, bytes: bytes.toString('hex'), commitment: sha256Hex(hashed) };
  });
  const joined = Buffer.from(`05${cases.map(({ commitment }) => commitment).join('')}`, 'hex');
  return { parts: cases, com: sha256Hex(joined) };
}

export function merkleVectors(): Json {
  const leaves = someLeaves(9);
  const sizes = Array.from({ length: 10 }, (_, size) => size);
  return {
    leaves: leaves.map(base64),
    roots: sizes.map((size) => base64(referenceRoot(leaves.slice(0, size)))),
    inclusion: sizes.flatMap((size) =>
      sizes.slice(0, size).map((index) => ({ index, size, proof: referencePath(index, leaves.slice(0, size)).map(base64) })),
    ),
    consistency: sizes.flatMap((size2) =>
      sizes.slice(1, size2 + 1).map((size1) => ({ size1, size2, proof: referenceProof(size1, leaves.slice(0, size2)).map(base64) })),
    ),
    genesis: { origin: ORIGIN, stream: STREAM, prev: sha256Hex(`holdfast stream v1\n${ORIGIN}\n${STREAM}`) },
  };
}
