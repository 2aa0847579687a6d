// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import {
  cosign,
  cosignerKey,
  encodeCosignerKey,
  parseCosignerKey,
  verifyCosignatures,
} from '../../src/record/cosignature.ts';
import { noteKey, parseNote, type NoteKey } from '../../src/record/note.ts';
import { LOG, signingPair } from '../vectors/keys.ts';
import { CHECKPOINT } from '../vectors/log-vectors.ts';
import { sharedJson } from '../vectors/shared.ts';
import { hostileText } from './hostile.ts';
import { accepted, refusal } from './refusal.ts';

const published = sharedJson<{ cosignatureVkeys: { vkey: string; ok: boolean }[] } | null>(
  'signed-note/note-checkpoint-proof.json',
  null,
);
const WITNESS = signingPair('witness');
const NAME = 'witness.example/w1';
const KEY = cosignerKey(NAME, WITNESS.key);
const SECONDS = 1_795_359_723;
const SIGNED = signCheckpoint(CHECKPOINT, LOG.privateKey);
const TEXT = parseNote(SIGNED).text;
const LINE = cosign(TEXT, NAME, WITNESS.privateKey, SECONDS);

describe('a cosigner’s key', () => {
  it('is read as it was written, and is not that of a log with the same bytes', () => {
    expect(encodeCosignerKey(parseCosignerKey(encodeCosignerKey(KEY)))).toBe(encodeCosignerKey(KEY));
    expect(KEY.hash.equals(noteKey(NAME, WITNESS.key).hash)).toBe(false);
  });

  it('is read or refused as published', () => {
    for (const { vkey, ok } of published?.cosignatureVkeys ?? []) {
      // One of the published keys is a log’s: it is good, and no cosigner’s.
      const isCosigner = ok && Buffer.from(vkey.split('+')[2] ?? '', 'base64')[0] === 4;
      expect(accepted(() => parseCosignerKey(vkey)) !== undefined, vkey).toBe(isCosigner);
    }
  });
});

describe('a cosignature', () => {
  it('names who cosigned and when', () => {
    expect(verifyCosignatures(parseNote(SIGNED + LINE), [KEY])).toEqual([{ cosigner: KEY, seconds: SECONDS }]);
  });

  it('counts once, and only of a key that was asked about', () => {
    const other = signingPair('other witness');
    const note = parseNote(SIGNED + LINE + LINE + cosign(TEXT, 'other.example', other.privateKey, 5));
    expect(verifyCosignatures(note, [KEY])).toHaveLength(1);
    expect(verifyCosignatures(note, [cosignerKey('another.example', other.key)])).toEqual([]);
  });

  it('does not stand for another text, another time or another key', () => {
    const [, base64 = ''] = LINE.trimEnd().slice(2).split(' ');
    const bytes = Buffer.from(base64, 'base64');
    for (let at = 4; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      const note = parseNote(`${SIGNED}— ${NAME} ${changed.toString('base64')}\n`);
      expect(
        refusal(() => verifyCosignatures(note, [KEY])),
        `byte ${at}`,
      ).toBe('format/note-signature');
    }
    for (const cut of [4 + 8, bytes.length - 1]) {
      const note = parseNote(`${SIGNED}— ${NAME} ${bytes.subarray(0, cut).toString('base64')}\n`);
      expect(refusal(() => verifyCosignatures(note, [KEY]))).toBe('format/note-signature');
    }
    const grown = signCheckpoint({ ...CHECKPOINT, size: CHECKPOINT.size + 1 }, LOG.privateKey);
    expect(refusal(() => verifyCosignatures(parseNote(grown + LINE), [KEY]))).toBe('format/note-signature');
  });

  it('is refused without a time', () => {
    const note = parseNote(SIGNED + cosign(TEXT, NAME, WITNESS.privateKey, 0));
    expect(refusal(() => verifyCosignatures(note, [KEY]))).toBe('format/note-signature');
  });

  it('is verified or refused with FormatError and nothing else, whatever stands under the checkpoint', () => {
    const check = (text: string, keys: readonly NoteKey[]): unknown => verifyCosignatures(parseNote(text), keys);
    fc.assert(
      fc.property(hostileText(SIGNED + LINE), (text) => {
        const found = accepted(() => check(text, [KEY])) as { seconds: number }[] | undefined;
        for (const { seconds } of found ?? []) expect(seconds).toBe(SECONDS);
      }),
      { numRuns: 2000, seed: 20_261_122 },
    );
  });
});
