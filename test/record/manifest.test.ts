// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import {
  manifestHash,
  openManifest,
  recipientKey,
  signersOf,
  signManifest,
  type Manifest,
  type Signer,
} from '../../src/record/manifest.ts';
import { ARCHIVER, CONNECTOR, ESCROW, LOG, ORIGIN, READER, recipientPair, ROOT, signingPair } from '../vectors/keys.ts';
import { MANIFEST, signedByRoot } from '../vectors/log-vectors.ts';
import { canonicalMutants, HOSTILE_TEXTS, HOSTILE_VALUES, hostileText, mutants } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

const TEXT = signManifest(MANIFEST, ROOT.privateKey);
const BODY = (JSON.parse(TEXT) as { manifest: { readonly [key: string]: Json } }).manifest;
const open = (document: string): string | null => refusal(() => openManifest(document, ROOT.key, ORIGIN));
const writes = (change: Partial<Manifest>): string | null =>
  refusal(() => signManifest({ ...MANIFEST, ...change }, ROOT.privateKey));
const signer = (role: string, word: string): Signer =>
  ({ role, name: word, pub: signingPair(word).key.raw.toString('base64') }) as Signer;

function expectOneSpelling(document: string): void {
  const manifest = accepted(() => openManifest(document, ROOT.key, ORIGIN));
  if (manifest !== undefined) expect(signManifest(manifest, ROOT.privateKey)).toBe(document);
}

describe('a manifest', () => {
  it('is read as it was written, and written canonically', () => {
    expect(openManifest(TEXT, ROOT.key, ORIGIN)).toEqual(MANIFEST);
    expect(canonicalize(JSON.parse(TEXT) as Json)).toBe(TEXT);
    const next = { ...MANIFEST, n: 1, previous: manifestHash(TEXT), evaluation: false, signers: [] };
    expect(openManifest(signManifest(next, ROOT.privateKey), ROOT.key, ORIGIN)).toEqual(next);
  });

  it('is signed by the root over its canonical text, and named by its hash', () => {
    const { manifest, root, sig } = JSON.parse(TEXT) as { manifest: Json; root: string; sig: string };
    expect(root).toBe(ROOT.key.id);
    expect(verify(null, Buffer.from(canonicalize(manifest)), ROOT.key.key, Buffer.from(sig, 'base64'))).toBe(true);
    expect(manifestHash(TEXT)).toBe(createHash('sha256').update(TEXT).digest('hex'));
  });

  it('does not open with another root, even under the id of this one', () => {
    expect(refusal(() => openManifest(TEXT, LOG.key, ORIGIN))).toBe('format/manifest-signature');
    expect(refusal(() => openManifest(TEXT, ROOT.key, `${ORIGIN}/2`))).toBe('format/manifest-origin');
    expect(open(signManifest(MANIFEST, LOG.privateKey))).toBe('format/manifest-signature');
    expect(open(signManifest(MANIFEST, LOG.privateKey).replace(LOG.key.id, ROOT.key.id))).toBe(
      'format/manifest-signature',
    );
  });

  it('does not open with any member changed', () => {
    for (const body of mutants(BODY)) {
      const document = canonicalize({ ...(JSON.parse(TEXT) as object), manifest: body } as Json);
      if (document !== TEXT) expect(open(document)).toMatch(/^format\/manifest/);
    }
  });

  it('has one document for one signature: nothing unsigned fits beside it', () => {
    expect(open(signedByRoot(BODY, { note: 'x' }))).toBe('format/manifest');
    expect(open(TEXT.replace('{"manifest"', '{"a":1,"manifest"'))).toBe('format/manifest');
    const sig = /"sig":"([^"]*)"/.exec(TEXT)?.[1] as string;
    expect(open(TEXT.replace(sig, sig.slice(0, -3) + String.fromCharCode(sig.charCodeAt(85) + 1) + '=='))).toBe(
      'format/key',
    );
    for (const document of canonicalMutants(JSON.parse(TEXT) as Json)) expectOneSpelling(document);
  });

  it('signed by the root with anything in it opens only if the root would write it so, and breaks nothing', () => {
    for (const body of mutants(BODY)) expectOneSpelling(signedByRoot(body));
    for (const value of HOSTILE_VALUES) expect(open(signedByRoot(value))).toMatch(/^format\/manifest/);
  });

  it.each([
    ['duplicate keys', TEXT.replace('"root":', '"root":"x","root":')],
    ['white space', ` ${TEXT}`],
    ['a final newline', `${TEXT}\n`],
    ['another order', TEXT.replace(/^\{("manifest":.*),("root":"[^"]*"),("sig":"[^"]*")\}$/, '{$2,$1,$3}')],
  ])('with %s is refused', (_, document) => {
    expect(document).not.toBe(TEXT);
    expect(open(document)).toMatch(/^format\/not-/);
  });

  it('is refused with FormatError and nothing else, whatever the text', () => {
    for (const text of HOSTILE_TEXTS) expect(open(text)).toMatch(/^format\//);
    fc.assert(
      fc.property(hostileText(TEXT), (text) => {
        expectOneSpelling(text);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('the rules of manifests', () => {
  it.each<readonly [string, Partial<Manifest>]>([
    ['no escrow', { recipients: [READER.recipient] }],
    ['no reader', { recipients: [ESCROW.recipient] }],
    ['nobody', { recipients: [] }],
    ['a recipient twice', { recipients: [READER.recipient, ESCROW.recipient, READER.recipient] }],
    ['one key for reader and escrow', { recipients: [READER.recipient, { ...READER.recipient, role: 'escrow' }] }],
    [
      'a recipient under the id of another',
      { recipients: [READER.recipient, { ...ESCROW.recipient, kid: READER.recipient.kid }] },
    ],
    [
      'a point that is not on the curve',
      { recipients: [READER.recipient, { ...ESCROW.recipient, y: READER.recipient.y }] },
    ],
    [
      'the point at infinity',
      { recipients: [READER.recipient, { ...ESCROW.recipient, x: 'A'.repeat(64), y: 'A'.repeat(64) }] },
    ],
    ['short coordinates', { recipients: [READER.recipient, { ...ESCROW.recipient, x: ESCROW.recipient.x.slice(1) }] }],
    ['a signer twice', { signers: [signer('officer', 'a'), signer('officer', 'a')] }],
    ['one key in two roles', { signers: [signer('officer', 'a'), { ...signer('archiver', 'a'), name: 'b' }] }],
    ['an unknown role', { signers: [signer('boss', 'a')] }],
    ['the role of an object prototype member', { signers: [signer('constructor', 'a')] }],
    ['an upper-case name', { signers: [{ ...signer('officer', 'a'), name: 'A' }] }],
    ['a name with a newline', { signers: [{ ...signer('officer', 'a'), name: 'a\n' }] }],
    ['a fraction as number', { n: 0.5 }],
    ['a number below 0', { n: -1 }],
    ['a first one with one before', { previous: '0'.repeat(64) }],
    ['a second one without', { n: 1 }],
    ['a second one that names no hash', { n: 1, previous: 'x' }],
    ['a second one that names more than a hash', { n: 1, previous: '0'.repeat(65) }],
    ['a time with milliseconds', { at: '2026-11-22T15:02:03.000Z' }],
    ['a time with something before', { at: '12026-11-22T15:02:03Z' }],
    ['a time with something behind', { at: '2026-11-22T15:02:03Z ' }],
  ])('refuse %s, written or read', (_, change) => {
    expect(writes(change)).toBe('format/manifest');
    expect(open(signedByRoot({ ...BODY, ...(change as { [key: string]: Json }) }))).toBe('format/manifest');
  });

  it('refuse signing keys that are none', () => {
    for (const pub of ['', 'x', Buffer.alloc(32).toString('base64'), `${ROOT.key.raw.toString('base64')}\n`]) {
      expect(writes({ signers: [{ role: 'officer', name: 'a', pub }] })).toBe('format/key');
    }
  });

  it('allow more recipients than two', () => {
    const third = recipientPair('escrow', 'second escrow').recipient;
    expect(writes({ recipients: [...MANIFEST.recipients, third] })).toBeNull();
  });
});

describe('what a manifest names', () => {
  it('is the signers of a role, by the id of their key', () => {
    expect([...signersOf(MANIFEST, 'archiver').keys()]).toEqual([ARCHIVER.key.id]);
    expect([...signersOf(MANIFEST, 'connector').keys()]).toEqual([CONNECTOR.key.id]);
    expect(signersOf(MANIFEST, 'officer').size).toBe(0);
    expect(signersOf(MANIFEST, 'connector').get(CONNECTOR.key.id)?.raw).toEqual(CONNECTOR.key.raw);
  });

  it('is keys of recipients, on the curve', () => {
    expect(recipientKey(READER.recipient).export({ format: 'jwk' })).toMatchObject({
      crv: 'P-384',
      x: READER.recipient.x,
    });
    expect(refusal(() => recipientKey({ x: 'A'.repeat(64), y: 'B'.repeat(64) }))).toBe('format/manifest');
  });
});
