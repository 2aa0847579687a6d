// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/record/canonical.ts';
import { encodeVerifierKey, noteKey } from '../../src/record/note.ts';
import { parseTrust } from '../../src/record/trust.ts';
import { CONNECTOR, LOG, ORIGIN, ROOT } from '../vectors/keys.ts';
import { HOSTILE_TEXTS, hostileText, mutants } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

const FILE = {
  v: 1,
  origin: ORIGIN,
  root: ROOT.key.raw.toString('base64'),
  log: encodeVerifierKey(noteKey(ORIGIN, LOG.key)),
};
const TEXT = JSON.stringify(FILE, null, 2);

describe('a trust file', () => {
  it('names the origin, the root key and the key of the log', () => {
    const trust = parseTrust(TEXT);
    expect([trust.origin, trust.root.id, trust.log.key.id, trust.log.name]).toEqual([
      ORIGIN,
      ROOT.key.id,
      LOG.key.id,
      ORIGIN,
    ]);
  });

  it('names the log before, and where that ended if the root alone says so', () => {
    const before = encodeVerifierKey(noteKey('archive.example/before', CONNECTOR.key));
    expect(parseTrust(JSON.stringify({ ...FILE, before, number: 2 }))).not.toHaveProperty('end');
    expect(parseTrust(JSON.stringify({ ...FILE, before, number: 2, end: 7 }))).toMatchObject({ number: 2, end: 7 });
  });

  it.each<readonly [string, object, string]>([
    ['of another version', { v: 2 }, 'format/trust'],
    ['with a version in quotes', { v: '1' }, 'format/trust'],
    ['with a log before and no number', { before: FILE.log }, 'format/trust'],
    ['with a number and no log before', { number: 1 }, 'format/trust'],
    ['with a number below that of a later log', { before: FILE.log, number: 0 }, 'format/trust'],
    ['with a log before that is none', { before: 'x', number: 1 }, 'format/note-key'],
    ['with an end of no log', { end: 1 }, 'format/trust'],
    ['with an end that is no size', { before: FILE.log, number: 1, end: 1.5 }, 'format/trust'],
    ['without root', { root: undefined }, 'format/trust'],
    ['with a root that is no key', { root: 'x' }, 'format/key'],
    ['with a root of small order', { root: Buffer.alloc(32).toString('base64') }, 'format/key'],
    ['with a log key of another origin', { origin: 'archive.example/other' }, 'format/trust'],
    ['with a log key that is none', { log: `${ORIGIN}+00000000+${'A'.repeat(44)}` }, 'format/note-key'],
  ])('%s is refused', (_, change, code) => {
    expect(refusal(() => parseTrust(JSON.stringify({ ...FILE, ...change })))).toBe(code);
  });

  it('is refused with FormatError and nothing else, whatever the text', () => {
    for (const text of HOSTILE_TEXTS) expect(refusal(() => parseTrust(text))).toBe('format/trust');
    for (const value of mutants(FILE as Json)) refusal(() => parseTrust(JSON.stringify(value)));
    fc.assert(
      fc.property(hostileText(TEXT), (text) => {
        const trust = accepted(() => parseTrust(text));
        if (trust !== undefined) expect(trust.log.name).toBe(trust.origin);
      }),
      { numRuns: 1000 },
    );
  });
});
