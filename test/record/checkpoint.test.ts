// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/record/checkpoint.ts';
import { leafHash } from '../../src/record/hash.ts';
import { EMPTY_RANGE } from '../../src/record/merkle.ts';
import { noteKey, parseNote, parseVerifierKey, signNote } from '../../src/record/note.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { ARCHIVER, LOG, ORIGIN } from '../vectors/keys.ts';
import { CHECKPOINT, LOG_NOTE_KEY } from '../vectors/log-vectors.ts';
import { sharedJson } from '../vectors/shared.ts';
import { origin } from './arbitraries.ts';
import { HOSTILE_TEXTS, hostileBytes, hostileText } from './hostile.ts';
import { referenceRoot } from './reference-tree.ts';
import { accepted, refusal } from './refusal.ts';

interface Tessera {
  readonly vkey: string;
  readonly leaves: readonly string[];
  readonly files: Readonly<Record<string, { readonly utf8?: string; readonly hex?: string }>>;
}

const unmarshal = sharedJson<{ checkpointUnmarshal: { in: string; ok: boolean }[] } | null>(
  'signed-note/note-checkpoint-proof.json',
  null,
);
const examples = sharedJson<Record<string, string[]> | null>('signed-note/c2sp-spec-examples.json', null);
const tessera = sharedJson<Tessera | null>('tlog-tiles/tessera-testdata-log.json', null);
const NOTE = signCheckpoint(CHECKPOINT, LOG.privateKey);
const BODY = encodeCheckpoint(CHECKPOINT);

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));

describe('a checkpoint', () => {
  it('is read as it was written, signed or not', () => {
    fc.assert(
      fc.property(origin, fc.maxSafeNat(), hash, (name, size, root) => {
        const checkpoint = { origin: name, size, root };
        expect(parseCheckpoint(encodeCheckpoint(checkpoint))).toEqual(checkpoint);
        expect(openCheckpoint(signCheckpoint(checkpoint, LOG.privateKey), noteKey(name, LOG.key))).toEqual(checkpoint);
      }),
    );
  });

  it('is the same each time it is signed', () => {
    expect(signCheckpoint(CHECKPOINT, LOG.privateKey)).toBe(NOTE);
  });

  it.each(unmarshal?.checkpointUnmarshal ?? [{ in: BODY, ok: true }])(
    'is read or refused as published: $in',
    ({ in: text, ok }) => {
      expect(refusal(() => parseCheckpoint(text))).toBe(ok ? null : 'format/checkpoint');
    },
  );

  it('of the specification is read', () => {
    for (const note of [
      ...(examples?.['tlog-checkpoint'] ?? []).slice(0, 1),
      ...(examples?.['tlog-cosignature'] ?? []).slice(0, 1),
    ]) {
      expect(parseCheckpoint(parseNote(note).text)).toMatchObject({
        origin: 'example.com/behind-the-sofa',
        size: 20_852_163,
      });
    }
  });

  it.each([
    ['an empty origin', `\n1234\nAAAA\n`],
    ['a sign', BODY.replace('1234', '+1234')],
    ['a leading zero', BODY.replace('1234', '00')],
    ['an exponent', BODY.replace('1234', '1e3')],
    ['white space', BODY.replace('1234', ' 1234')],
    ['a size no number holds', BODY.replace('1234', '9007199254740992')],
    ['no size', BODY.replace('1234', '')],
    ['base64 in another spelling', BODY.replace('=', '')],
    ['an empty extension line', `${BODY}\n`],
    ['an empty line between extensions', `${BODY}a\n\nb\n`],
    ['an extension without line end', `${BODY}a`],
  ])('with %s is refused', (_, text) => {
    expect(refusal(() => parseCheckpoint(text))).toBe('format/checkpoint');
  });

  it('opens with the key of its log only', () => {
    expect(openCheckpoint(NOTE, LOG_NOTE_KEY)).toEqual(CHECKPOINT);
    expect(refusal(() => openCheckpoint(NOTE, noteKey(ORIGIN, ARCHIVER.key)))).toBe('format/note-signature');
    expect(refusal(() => openCheckpoint(NOTE, noteKey('archive.example/other', LOG.key)))).toBe(
      'format/note-signature',
    );
  });

  it('of another log under the same key and name of signer is refused', () => {
    const other = encodeCheckpoint({ ...CHECKPOINT, origin: 'archive.example/other' });
    expect(refusal(() => openCheckpoint(signNote(other, ORIGIN, LOG.privateKey), LOG_NOTE_KEY))).toBe(
      'format/checkpoint',
    );
  });

  it('with a root that is no SHA-256 is refused', () => {
    for (const length of [0, 31, 33, 64]) {
      const note = signCheckpoint({ ...CHECKPOINT, root: Buffer.alloc(length) }, LOG.privateKey);
      expect(refusal(() => openCheckpoint(note, LOG_NOTE_KEY))).toBe('format/checkpoint');
    }
  });

  it('is refused with FormatError and nothing else, and has one text for its values', () => {
    for (const text of HOSTILE_TEXTS) expect(refusal(() => parseCheckpoint(text))).toBe('format/checkpoint');
    fc.assert(
      fc.property(hostileText(BODY), hostileBytes(Buffer.from(NOTE)), (text, bytes) => {
        const checkpoint = accepted(() => parseCheckpoint(text));
        if (checkpoint !== undefined) expect(text.startsWith(encodeCheckpoint(checkpoint))).toBe(true);
        expect(refusal(() => openCheckpoint(bytes.toString('latin1'), LOG_NOTE_KEY)) === null).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the log of tessera', () => {
  const leaves = (tessera?.leaves ?? []).map((leaf) => leafHash(Buffer.from(leaf)));

  it('has signatures and roots that verify, and the roots are those of its leaves', () => {
    const notes = Object.entries(tessera?.files ?? {}).filter(([name]) => name.startsWith('checkpoint'));
    expect([0, 17]).toContain(notes.length);
    const tree = new TreeWindow(EMPTY_RANGE);
    for (const leaf of leaves) tree.append(leaf);
    for (const [name, { utf8 }] of notes) {
      const { size, root } = openCheckpoint(utf8 as string, parseVerifierKey((tessera as Tessera).vkey));
      expect(root, name).toEqual(tree.root(size));
      expect(root).toEqual(referenceRoot(leaves.slice(0, size)));
    }
  });
});
