// SPDX-License-Identifier: AGPL-3.0-or-later
import { signBatch, encodeStatement, type Batch } from '../../src/record/batch.ts';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { encodeEntry, genesisOf } from '../../src/record/entry.ts';
import type { Entry, EntryType } from '../../src/record/entry-types.ts';
import type { FormatCode } from '../../src/record/format-error.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { signBytes } from '../../src/record/key.ts';
import { AT, CONNECTOR, hexOf, LOG, ORIGIN, STREAM } from './keys.ts';

export type Expect = { readonly ok: Json } | { readonly error: FormatCode };
export interface Case {
  readonly name: string;
  readonly text: string;
  readonly expect: Expect;
}

const ref = (word: string, n: number): { h: string; n: number } => ({ h: hexOf(word), n });
const inStream = { v: 1, at: AT, stream: STREAM, seq: 7, prev: hexOf('prev') } as const;
const inLog = { v: 1, at: AT, log: ORIGIN } as const;
const sealed = { ret: 'GRS-6.1-011', epoch: hexOf('epoch'), i: 17, body: ref('body', 540), com: hexOf('com') } as const;
const tag = hexOf('tag', 32);
const head = { stream: hexOf('earlier', 32), seq: 41, id: hexOf('last id') } as const;
const approval = (word: string): { key: string; sig: string } => ({
  key: hexOf(word, 32),
  sig: signBytes(CONNECTOR.privateKey, word).toString('base64'),
});

/** One of each type, and a second where members are optional. */
export const ENTRIES: Readonly<Record<string, Entry>> = {
  content: { ...inStream, ...sealed, t: 'content', tag },
  'content with objects': { ...inStream, ...sealed, t: 'content', tag, obj: [ref('a', 70_000), ref('b', 0)] },
  media: { ...inStream, ...sealed, t: 'media', tag, obj: [ref('a', 70_000)] },
  access: { ...inStream, ...sealed, t: 'access', tag },
  open: {
    ...inStream,
    seq: 0,
    prev: genesisOf(ORIGIN, STREAM),
    t: 'open',
    acct: hexOf('account', 32),
    app: 'signal',
    role: 'account',
    gen: 0,
    key: CONNECTOR.key.id,
  },
  'open after an earlier stream': {
    ...inStream,
    seq: 0,
    prev: genesisOf(ORIGIN, STREAM),
    t: 'open',
    acct: hexOf('account', 32),
    app: 'whatsapp',
    role: 'account',
    gen: 1,
    key: CONNECTOR.key.id,
    last: head,
  },
  close: { ...inStream, t: 'close', reason: 'retired' },
  beat: { ...inStream, t: 'beat', heads: [[head.stream, head.seq, head.id]], part: [1, 1] },
  'beat without streams': { ...inStream, t: 'beat', heads: [], part: [1, 1] },
  gap: { ...inStream, t: 'gap', cause: 'spool-lost', scope: 'account', state: 'open' },
  'gap with everything': {
    ...inStream,
    ...sealed,
    t: 'gap',
    cause: 'attachment-missing',
    scope: 'attachment',
    state: 'closed',
    from: AT,
    to: AT,
    last: head,
    count: 3,
    ref: hexOf('gap'),
    tag,
  },
  hole: { ...inStream, t: 'hole', count: 2, last: hexOf('last') },
  pack: { ...inLog, ...ref('pack', 4096), t: 'pack', leaves: [[0, 3], [5, 1]], ret: 'GRS-6.1-011', until: AT },
  repack: { ...inLog, ...ref('pack', 4096), t: 'repack', from: hexOf('old pack'), leaves: [[0, 3]], ret: 'x', until: AT },
  heads: { ...inLog, t: 'heads', file: ref('heads', 512), root: hexOf('root'), streams: 2 },
  key: { ...inLog, t: 'key', doc: hexOf('manifest'), kind: 'manifest', n: 0 },
  store: { ...inLog, t: 'store', create: 'if-none-match', hold: true, kind: 's3', locks: true },
  retention: { ...inLog, t: 'retention', authority: 'NARA GRS 6.1', class: 'GRS-6.1-011', max: 'P30Y', mode: 'COMPLIANCE', period: 'P7Y' },
  hold: { ...inLog, t: 'hold', by: [approval('officer')], hold: hexOf('hold', 32), matter: 'No. 1', objects: ref('list', 99), state: 'placed' },
  disposition: { ...inLog, t: 'disposition', authority: 'SF-115', by: [approval('a'), approval('b')].toSorted((a, b) => (a.key < b.key ? -1 : 1)), objects: ref('list', 99) },
  escrow: { ...inLog, t: 'escrow', act: 'combine', authority: 'key plan 2026', by: [approval('a'), approval('b')].toSorted((a, b) => (a.key < b.key ? -1 : 1)), ceremony: hexOf('ceremony', 32), key: hexOf('recipient', 32), need: 2, of: 3, split: hexOf('split', 32), state: 'announced' },
  scrub: { ...inLog, t: 'scrub', by: [approval('auditor')], bytes: 4096, findings: 0, from: AT, objects: 2, size: 40 },
};

const good = Object.fromEntries(Object.entries(ENTRIES).map(([name, entry]) => [name, encodeEntry(entry)]));
const of = (name: EntryType): string => good[name] as string;

const bad = (name: string, text: string, error: FormatCode): Case => ({ name, text, expect: { error } });

const badEntries: readonly Case[] = [
  bad('an unknown type', of('close').replace('"t":"close"', '"t":"closed"'), 'format/entry-type'),
  bad('no type', of('close').replace('"t":"close",', ''), 'format/entry-type'),
  bad('the type of an object prototype member', of('close').replace('"t":"close"', '"t":"constructor"'), 'format/entry-type'),
  bad('an unknown member', of('close').replace('"at"', '"aa":1,"at"'), 'format/entry'),
  bad('a missing member', of('close').replace(',"reason":"retired"', ''), 'format/entry'),
  bad('a member of another type', of('close').replace(',"t"', `,"tag":"${tag}","t"`), 'format/entry'),
  bad('members in another order', of('close').replace('"t":"close","v":1', '"v":1,"t":"close"'), 'format/entry'),
  bad('a member twice', of('close').replace('"seq":7', '"seq":7,"seq":7'), 'format/entry'),
  bad('white space', of('close').replace('"seq":7', '"seq": 7'), 'format/entry'),
  bad('a final newline', `${of('close')}\n`, 'format/entry'),
  bad('an escaped letter', of('close').replace('retired', '\\u0072etired'), 'format/entry'),
  bad('a letter outside ASCII', of('hold').replace('No. 1', 'N° 1'), 'format/entry'),
  bad('upper-case hex', of('close').replace(STREAM, STREAM.toUpperCase()), 'format/entry'),
  bad('a leading zero', of('close').replace('"seq":7', '"seq":07'), 'format/entry'),
  bad('a fraction', of('close').replace('"seq":7', '"seq":7.0'), 'format/entry'),
  bad('an exponent', of('close').replace('"seq":7', '"seq":7e0'), 'format/entry'),
  bad('a negative number', of('close').replace('"seq":7', '"seq":-7'), 'format/entry'),
  bad('a number of 16 digits', of('close').replace('"seq":7', '"seq":1000000000000000'), 'format/entry'),
  bad('milliseconds', of('close').replace(AT, '2026-11-22T15:02:03.000Z'), 'format/entry'),
  bad('a time zone', of('close').replace(AT, '2026-11-22T15:02:03+00:00'), 'format/entry'),
  bad('a leap second', of('close').replace(AT, '2026-12-31T23:59:60Z'), 'format/entry'),
  bad('another version', of('close').replace('"v":1', '"v":2'), 'format/entry'),
  bad('an unknown reason', of('close').replace('retired', 'bored'), 'format/entry'),
  bad('an upper-case origin', of('key').replace(ORIGIN, 'Archive.example/log'), 'format/entry'),
  bad('an origin that climbs', of('key').replace(ORIGIN, 'archive/../log'), 'format/entry'),
  bad('a signature in another spelling of base64', respell(of('hold')), 'format/entry'),
  bad('no approval', of('hold').replace(/"by":\[[^\]]*\]/, '"by":[]'), 'format/entry'),
  bad('more than 4 KiB', of('hold').replace('No. 1', 'x'.repeat(4096)), 'format/too-large'),
  bad('open that is not the first', of('open').replace('"seq":0', '"seq":1'), 'format/entry-rule'),
  bad('another type as the first', of('close').replace('"seq":7', '"seq":0'), 'format/entry-rule'),
  bad('a body over 64 KiB', of('content').replace('"n":540', '"n":65537'), 'format/entry-rule'),
  bad('a gap with half a sealed part', of('gap').replace('"cause"', `"body":{"h":"${hexOf('b')}","n":1},"cause"`), 'format/entry-rule'),
  bad('a closed gap that closes nothing', of('gap').replace('"open"', '"closed"'), 'format/entry-rule'),
  bad('a hole of nothing', of('hole').replace('"count":2', '"count":0'), 'format/entry-rule'),
  bad('beat part 2 of 1', of('beat').replace('"part":[1,1]', '"part":[2,1]'), 'format/entry-rule'),
  bad('beat part 0 of 1', of('beat').replace('"part":[1,1]', '"part":[0,1]'), 'format/entry-rule'),
  bad('leaf ranges that overlap', of('pack').replace('[5,1]', '[2,1]'), 'format/entry-rule'),
  bad('an empty leaf range', of('pack').replace('[5,1]', '[5,0]'), 'format/entry-rule'),
  bad('a period of nothing', of('retention').replace('"P7Y"', '"P"'), 'format/entry-rule'),
  bad('a list', '[]', 'format/entry-type'),
  bad('nothing', '', 'format/entry-type'),
];

/** The same 64 bytes: the last character before `==` has four bits that no byte uses. */
export function respell(text: string): string {
  return text.replace(/([AQgw])==/, (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}==`);
}

export function entryVectors(): readonly Case[] {
  const fine = Object.entries(good).map(([name, text]) => ({
    name,
    text,
    expect: { ok: { id: sha256Hex(`\0${text}`), type: (ENTRIES[name] as Entry).t } },
  }));
  return [...fine, ...badEntries];
}

export const BATCH: Batch = {
  origin: ORIGIN,
  stream: STREAM,
  gen: 3,
  first: 100,
  count: 256,
  last: hexOf('last'),
  key: CONNECTOR.key.id,
};

export function batchVectors(): readonly Case[] {
  const text = encodeStatement(signBatch(BATCH, CONNECTOR.privateKey));
  const byAnother = encodeStatement(signBatch(BATCH, LOG.privateKey));
  const unsigned = canonicalize({ ...BATCH, ctx: 'holdfast manifest v1' });
  const otherContext = signBytes(CONNECTOR.privateKey, unsigned).toString('base64');
  return [
    { name: 'a statement', text, expect: { ok: { batchId: sha256Hex(text), ...BATCH } } },
    bad('a statement by another key', byAnother, 'format/batch-signature'),
    bad('a signature over another context', text.replace(/"sig":"[^"]*"/, `"sig":"${otherContext}"`), 'format/batch-signature'),
    bad('for another log', text.replace(ORIGIN, 'archive.example/other'), 'format/batch-signature'),
    bad('for another stream', text.replace(STREAM, hexOf('other', 32)), 'format/batch-signature'),
    bad('for another generation', text.replace('"gen":3', '"gen":4'), 'format/batch-signature'),
    bad('for other records', text.replace('"first":100', '"first":101'), 'format/batch-signature'),
    bad('that names another key', text.replace(CONNECTOR.key.id, LOG.key.id), 'format/batch-signature'),
    bad('with another context', text.replace('holdfast batch v1', 'holdfast batch v2'), 'format/batch'),
    bad('of 257 records', text.replace('"count":256', '"count":257'), 'format/batch'),
    bad('of no records', text.replace('"count":256', '"count":0'), 'format/batch'),
    bad('with white space', text.replace(',', ', '), 'format/batch'),
    bad('with an unknown member', text.replace('"ctx"', '"a":1,"ctx"'), 'format/batch'),
    bad('with a signature in another spelling of base64', respell(text), 'format/batch'),
    bad('that is not JSON', 'x', 'format/batch'),
  ];
}
