// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { canonicalize, parseCanonical, type Json } from '../../src/record/canonical.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { signBytes } from '../../src/record/key.ts';
import {
  completeLink,
  encodePredecessor,
  openLink,
  openOrder,
  openPredecessor,
  orderLink,
  type LogLink,
} from '../../src/record/link.ts';
import { noteKey } from '../../src/record/note.ts';
import { AT, CONNECTOR, hexOf, LOG, ORIGIN, ROOT, signingPair } from '../vectors/keys.ts';
import { canonicalMutants, HOSTILE_TEXTS } from './hostile.ts';
import { refusal } from './refusal.ts';

const NEXT = signingPair('next log');
const END = { size: 7, root: hexOf('root') };
const LINK: LogLink = {
  at: AT,
  cause: 'exchanged',
  n: 1,
  from: noteKey(ORIGIN, LOG.key),
  to: noteKey('archive.example/next', NEXT.key),
  end: null,
};
const KEYS = { old: LOG.privateKey, new: NEXT.privateKey };
const linked = (
  change: Partial<LogLink> = {},
  keys: { old: typeof KEYS.old | null; new: typeof KEYS.new } = KEYS,
): string => completeLink(orderLink({ ...LINK, ...change }, ROOT.privateKey), ROOT.key, keys);
const NOTE = signCheckpoint({ origin: ORIGIN, size: 7, root: Buffer.alloc(32, 1) }, LOG.privateKey);

/** The link with its body changed, signed by all again. */
function resigned(change: (body: Record<string, Json>) => object): string {
  const { link, root } = parseCanonical(linked()) as { link: Record<string, Json>; root: string };
  const body = change(link) as Json;
  const by = (key: typeof KEYS.new): string => signBytes(key, canonicalize(body)).toString('base64');
  return canonicalize({ link: body, root, sig: by(ROOT.privateKey), new: by(KEYS.new), old: by(KEYS.old) });
}

describe('a link of two logs', () => {
  it('is opened with the root key, and says which logs, why and where one ended', () => {
    const opened = openLink(linked(), ROOT.key);
    expect([opened.from.name, opened.to.name, opened.cause, opened.n, opened.end]).toEqual([
      ORIGIN,
      'archive.example/next',
      'exchanged',
      1,
      null,
    ]);
    const lost = openLink(linked({ cause: 'lost', end: END }, { ...KEYS, old: null }), ROOT.key);
    expect([lost.cause, lost.end]).toEqual(['lost', END]);
    expect(openOrder(orderLink(LINK, ROOT.privateKey), ROOT.key).n).toBe(1);
  });

  it('counts only once the root and both log keys have signed it', () => {
    expect(refusal(() => openLink(linked(), CONNECTOR.key))).toBe('format/link-signature');
    expect(refusal(() => linked({}, { ...KEYS, new: CONNECTOR.privateKey }))).toBe('format/link-signature');
    expect(refusal(() => linked({}, { ...KEYS, old: CONNECTOR.privateKey }))).toBe('format/link-signature');
    expect(refusal(() => linked({}, { ...KEYS, old: null }))).toBe('format/link-signature');
    expect(refusal(() => linked({ cause: 'stolen', end: END }))).toBe('format/link');
    expect(refusal(() => openLink(orderLink(LINK, ROOT.privateKey), ROOT.key))).toBe('format/link');
  });

  it.each<readonly [string, Partial<LogLink>]>([
    ['of a log within the other', { to: noteKey(`${ORIGIN}/next`, NEXT.key) }],
    ['of one log with itself', { to: noteKey(ORIGIN, NEXT.key) }],
    ['of two logs under one key', { to: noteKey('archive.example/next', LOG.key) }],
    ['with an end beside the old key’s own word', { end: END }],
    ['without an end where the old key is lost', { cause: 'lost' }],
    ['whose later log is the first of its line', { n: 0 }],
  ])('%s is not signed', (_, change) => {
    expect(refusal(() => orderLink({ ...LINK, ...change }, ROOT.privateKey))).toBe('format/link');
  });

  it.each<readonly [string, (body: Record<string, Json>) => object]>([
    ['a member more', (body) => ({ ...body, x: 1 })],
    ['a member less', ({ at: _at, ...body }) => body],
    ['another context', (body) => ({ ...body, ctx: 'holdfast link v2' })],
    ['a cause that is none', (body) => ({ ...body, cause: 'bored' })],
    ['a number that is none', (body) => ({ ...body, n: 1.5 })],
  ])('with %s is refused, whoever signed it', (_, change) => {
    expect(refusal(() => openLink(resigned(change), ROOT.key))).toBe('format/link');
  });

  it('that was changed anywhere is refused by a code', () => {
    for (const text of [...HOSTILE_TEXTS, ...canonicalMutants(parseCanonical(linked()))])
      expect(refusal(() => openLink(text, ROOT.key))).toMatch(/^format\//);
  });
});

describe('what a log says of the one before it', () => {
  it('is the link and that log’s last checkpoint, or the link alone where the root says where it ended', () => {
    const { end, link } = openPredecessor(encodePredecessor(linked(), NOTE), ROOT.key);
    expect([end, link.n]).toEqual([{ size: 7, root: '01'.repeat(32) }, 1]);
    const stolen = linked({ cause: 'stolen', end: END }, { ...KEYS, old: null });
    expect(openPredecessor(encodePredecessor(stolen, null), ROOT.key).end).toEqual(END);
  });

  it('names no checkpoint of another key, none where one must be, and none of a key that is stolen', () => {
    const other = signCheckpoint({ origin: ORIGIN, size: 7, root: Buffer.alloc(32, 1) }, CONNECTOR.privateKey);
    expect(refusal(() => openPredecessor(encodePredecessor(linked(), other), ROOT.key))).toBe('format/note-signature');
    expect(refusal(() => openPredecessor(encodePredecessor(linked(), null), ROOT.key))).toBe('format/link');
    const stolen = linked({ cause: 'stolen', end: END }, { ...KEYS, old: null });
    expect(refusal(() => openPredecessor(encodePredecessor(stolen, NOTE), ROOT.key))).toBe('format/link');
    for (const text of canonicalMutants(parseCanonical(encodePredecessor(linked(), NOTE))))
      expect(refusal(() => openPredecessor(text, ROOT.key))).toMatch(/^format\//);
  });
});
