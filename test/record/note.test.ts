// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  encodeVerifierKey,
  noteKey,
  parseNote,
  parseVerifierKey,
  signNote,
  verifyNote,
  type NoteKey,
} from '../../src/record/note.ts';
import { CONNECTOR, LOG, ROOT } from '../vectors/keys.ts';
import { sharedJson } from '../vectors/shared.ts';
import { HOSTILE_TEXTS, hostileBytes, hostileText } from './hostile.ts';
import { refusal } from './refusal.ts';

interface OpenCase {
  readonly note: string;
  readonly trust: readonly string[];
  readonly verified?: readonly string[];
  readonly error?: string;
}
interface Published {
  readonly specExample: { readonly vkey: string; readonly note: string };
  readonly goNote: {
    readonly vkeys: Readonly<Record<string, string>>;
    readonly skeys: Readonly<Record<string, string>>;
    readonly text: string;
    readonly sigs: Readonly<Record<string, string>>;
    readonly badVkeys: readonly string[];
    readonly open: readonly OpenCase[];
  };
  readonly cosignatureVkeys: readonly { readonly vkey: string; readonly ok: boolean }[];
}

const published = sharedJson<Published | null>('signed-note/note-checkpoint-proof.json', null);
const NAME = 'archive.example/log';
const KEY = noteKey(NAME, LOG.key);
const VKEY = encodeVerifierKey(KEY);
const TEXT = 'a text\nof two lines\n';
const NOTE = signNote(TEXT, NAME, LOG.privateKey);
const SIGNATURE = NOTE.slice(TEXT.length + 1);

const open = (note: string | Uint8Array, trusted: readonly NoteKey[]): NoteKey[] =>
  verifyNote(parseNote(note), trusted);

describe('a verifier key', () => {
  const good = [
    VKEY,
    ...(published === null ? [] : [published.specExample.vkey, ...Object.values(published.goNote.vkeys)]),
  ];

  it.each(good)('is read as it was written: %s', (vkey) => {
    expect(encodeVerifierKey(parseVerifierKey(vkey))).toBe(vkey);
  });

  it.each(good)('is refused in every proper substring of %s', (vkey) => {
    for (let from = 0; from < vkey.length; from += 1) {
      for (let to = from; to <= vkey.length; to += 1) {
        if (to - from < vkey.length)
          expect(refusal(() => parseVerifierKey(vkey.slice(from, to)))).toMatch(/^format\/(note-)?key$/);
      }
    }
  });

  it.each(good)('is refused with any one byte of %s higher', (vkey) => {
    for (let at = 0; at < vkey.length; at += 1) {
      const other = vkey.slice(0, at) + String.fromCharCode(vkey.charCodeAt(at) + 1) + vkey.slice(at + 1);
      expect(
        refusal(() => parseVerifierKey(other)),
        other,
      ).toMatch(/^format\/(note-)?key$/);
    }
  });

  it('of another kind, or malformed, is refused', () => {
    const [, , body = ''] = VKEY.split('+');
    const bad = [
      '',
      '++',
      `+${VKEY}`,
      `${VKEY}+`,
      `a b+${VKEY.slice(NAME.length + 1)}`,
      `${NAME}+00000000+${body}`,
      VKEY.toUpperCase(),
      ...(published?.goNote.badVkeys ?? []),
      // The well-formed ones of kind 4 sign cosignatures; only kind 1 signs notes.
      ...(published?.cosignatureVkeys ?? [])
        .filter(({ vkey }) => vkey.split('+')[2]?.startsWith('AQ') !== true)
        .map(({ vkey }) => vkey),
    ];
    for (const vkey of bad) {
      expect(
        refusal(() => parseVerifierKey(vkey)),
        vkey,
      ).toMatch(/^format\/(note-)?key$/);
    }
  });

  it('has a name without spaces, plus signs and control characters', () => {
    for (const name of ['', 'a b', 'a+b', 'a\n', 'a\u00a0b', 'a\u2028', '\ud800', 'a\u0000', 'a\u007f']) {
      expect(
        refusal(() => noteKey(name, LOG.key)),
        JSON.stringify(name),
      ).toBe('format/note-key');
    }
    expect(noteKey('Ärchive', LOG.key).name).toBe('Ärchive');
  });
});

describe('a note', () => {
  it('opens with the key that signed it', () => {
    expect(open(NOTE, [KEY])).toEqual([KEY]);
    expect(parseNote(NOTE).text).toBe(TEXT);
    expect(parseNote(Buffer.from(NOTE))).toEqual(parseNote(NOTE));
    expect(signNote(TEXT, NAME, LOG.privateKey)).toBe(NOTE);
  });

  it('of the specification opens', () => {
    if (published === null) return expect(open(NOTE, [KEY])).toEqual([KEY]);
    const { vkey, note } = published.specExample;
    return expect(open(note, [parseVerifierKey(vkey)]).map(({ name }) => name)).toEqual(['example.com/foo']);
  });

  it('is signed as Go signs it', () => {
    if (published === null) return expect(SIGNATURE.startsWith(`— ${NAME} `)).toBe(true);
    const { skeys, sigs, text } = published.goNote;
    const body = Buffer.from((skeys['peter'] as string).split('+').slice(4).join('+'), 'base64');
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), body.subarray(1)]);
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    return expect(signNote(text, 'PeterNeumann', privateKey)).toBe(`${text}\n${sigs['peter'] as string}`);
  });

  it.each(published?.goNote.open ?? [])(
    'opens or is refused as published: $note for $trust',
    ({ note, trust, verified, error }) => {
      const { vkeys, sigs, text } = (published as Published).goNote;
      const keys = trust.map((name) => parseVerifierKey(vkeys[name] as string));
      const act = (): NoteKey[] => open(fill(note, { ...sigs, text }), keys);
      if (error !== undefined) {
        expect(refusal(act)).toBe(error === 'malformed note' ? 'format/note' : 'format/note-signature');
      } else {
        expect(act()).toEqual((verified ?? []).map((name) => parseVerifierKey(vkeys[name] as string)));
      }
    },
  );

  it('needs a trusted signer, and ignores the others', () => {
    const other = signNote(TEXT, 'other.example', CONNECTOR.privateKey).slice(TEXT.length + 1);
    const sameName = signNote(TEXT, NAME, CONNECTOR.privateKey).slice(TEXT.length + 1);
    expect(open(NOTE + other + sameName, [KEY])).toEqual([KEY]);
    expect(open(`${TEXT}\n${other}${sameName}${SIGNATURE}`, [KEY])).toEqual([KEY]);
    expect(refusal(() => open(`${TEXT}\n${other}${sameName}`, [KEY]))).toBe('format/note-signature');
    expect(refusal(() => open(NOTE, []))).toBe('format/note-signature');
    expect(open(NOTE + other, [KEY, noteKey('other.example', CONNECTOR.key)])).toHaveLength(2);
  });

  it('with a wrong signature by a trusted key is refused, whoever else signed', () => {
    const wrong = signNote('another text\n', 'other.example', CONNECTOR.privateKey).slice('another text\n'.length + 1);
    const trusted = [KEY, noteKey('other.example', CONNECTOR.key)];
    expect(refusal(() => open(NOTE + wrong, trusted))).toBe('format/note-signature');
    expect(refusal(() => open(`${TEXT}\n${wrong}${SIGNATURE}`, trusted))).toBe('format/note-signature');
  });

  it('counts a signer once', () => {
    expect(open(NOTE + SIGNATURE, [KEY])).toEqual([KEY]);
  });

  it('with the key of another name, or a name of another key, is refused', () => {
    expect(refusal(() => open(NOTE, [noteKey('other.example', LOG.key)]))).toBe('format/note-signature');
    expect(refusal(() => open(NOTE, [noteKey(NAME, ROOT.key)]))).toBe('format/note-signature');
  });

  it('with any one byte changed is refused, unless the change is in nothing that is read', () => {
    const bytes = Buffer.from(NOTE);
    for (let at = 0; at < bytes.length; at += 1) {
      for (const bit of [1, 32, 128]) {
        const other = Buffer.from(bytes);
        other[at] = (other[at] as number) ^ bit;
        expect(
          refusal(() => open(other, [KEY])),
          `${at}`,
        ).toMatch(/^format\/note/);
      }
    }
  });

  it.each([
    ['no empty line', TEXT + SIGNATURE],
    ['no signature', `${TEXT}\n`],
    ['no final newline', NOTE.slice(0, -1)],
    ['a line that is no signature', `${NOTE}x\n`],
    ['a hyphen for the dash', NOTE.replace('—', '-')],
    ['a line without a name', NOTE.replace(`— ${NAME}`, '— ')],
    ['a name with a plus sign', NOTE.replace(`— ${NAME}`, '— a+b')],
    ['a signature without a body', `${NOTE}— other AAAAAA==\n`],
    ['base64 in another spelling', NOTE.replace(/=\n$/, '\n')],
    ['a carriage return', NOTE.replace('lines\n', 'lines\r\n')],
    ['a tab', NOTE.replace('two', '\t')],
    ['101 signatures', TEXT + '\n' + SIGNATURE.repeat(101)],
    ['a million characters', 'x'.repeat(1_000_000) + NOTE],
    ['a lone surrogate', `\ud800${NOTE}`],
  ])('with %s is refused', (_, note) => {
    expect(refusal(() => parseNote(note))).toBe('format/note');
  });

  it('with 100 signatures is read', () => {
    expect(parseNote(TEXT + '\n' + SIGNATURE.repeat(100)).signatures).toHaveLength(100);
  });

  it('is signed only if its text ends with a newline', () => {
    expect(refusal(() => signNote('x', NAME, LOG.privateKey))).toBe('format/note');
    expect(refusal(() => signNote('x\n', 'a b', LOG.privateKey))).toBe('format/note-key');
  });

  it('keeps empty lines of its text, and splits at the last', () => {
    const text = 'a\n\nb\n\n\n';
    const note = signNote(text, NAME, LOG.privateKey);
    expect(parseNote(note).text).toBe(text);
    expect(open(note, [KEY])).toEqual([KEY]);
  });

  it('is refused with FormatError and nothing else, whatever the bytes', () => {
    for (const text of HOSTILE_TEXTS) {
      expect(refusal(() => parseNote(text))).toBe('format/note');
      expect(refusal(() => parseVerifierKey(text))).toMatch(/^format\/(note-)?key$/);
    }
    fc.assert(
      fc.property(hostileBytes(Buffer.from(NOTE)), hostileText(VKEY), (bytes, text) => {
        refusal(() => open(bytes, [KEY]));
        refusal(() => open(text, [KEY]));
        refusal(() => parseVerifierKey(text));
      }),
      { numRuns: 2000 },
    );
  });
});

/** The little template language of the published cases; slices count bytes. */
function fill(template: string, values: Readonly<Record<string, string>>): Buffer {
  const pieces = template.split(/(\{[^}]*\}|\\n|\\x[0-9a-f]{2})/).map((piece) => {
    if (piece === '\\n') return Buffer.from('\n');
    if (piece.startsWith('\\x')) return Buffer.from(piece.slice(2), 'hex');
    const match = /^\{(\w+)(?:\[(-?\d*):(-?\d*)\])?\}$/.exec(piece);
    if (match === null) return Buffer.from(piece);
    const [, name = '', from, to] = match;
    return Buffer.from(values[name] ?? '').subarray(
      Number(from ?? 0),
      to === undefined || to === '' ? undefined : Number(to),
    );
  });
  return Buffer.concat(pieces);
}
