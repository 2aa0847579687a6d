// SPDX-License-Identifier: AGPL-3.0-or-later
import { ORIGIN } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { flip } from '../verify/subject.ts';
import type { ArchiveRow } from './row.ts';

export const CHECKPOINT = `log/${ORIGIN}/checkpoint`;

/** One bit of the first place where the text stands. */
function flipAt(archive: MemoryArchive, key: string, text: string, offset = 0): void {
  const bytes = archive.get(key);
  const at = bytes.indexOf(text);
  if (at < 0) throw new Error(`no ${text} in ${key}`);
  archive.put(key, flip(bytes, at + offset));
}

export function flipIn(folder: string, at: number): (archive: MemoryArchive) => void {
  return (archive) => archive.put(archive.key(folder, 0), flip(archive.get(archive.key(folder, 0)), at));
}

export function cut(folder: string, n: number, bytes: number): (archive: MemoryArchive) => void {
  return (archive) => {
    const key = archive.key(folder, n);
    archive.put(key, archive.get(key).subarray(0, -bytes));
  };
}

const inSegment =
  (text: string, offset = 0): ArchiveRow[1] =>
  (archive) =>
    flipAt(archive, archive.keyWith('/segment/', text, 1), text, offset);

function replaceRoot(archive: MemoryArchive): void {
  const key = archive.key('/segment/', 2);
  const text = archive.get(key).toString();
  const at = text.lastIndexOf('"root":"') + 8;
  archive.put(key, `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
}

/** The last segment that names packs, all behind it, and what would tell of them. */
function cutOff(archive: MemoryArchive): void {
  const keys = archive.keys().filter((key) => key.includes('/segment/'));
  const last = keys.findLastIndex((key) => archive.get(key).includes('"t":"pack"'));
  for (const key of [...keys.slice(last), CHECKPOINT]) archive.remove(key);
}

export const BYTES: readonly ArchiveRow[] = [
  ['the first line of a segment', inSegment('holdfast segment', 3), ['verify/segment-malformed']],
  ['the head of a segment', inSegment('"batches":', 11), ['verify/segment-malformed']],
  ['the checkpoint that a segment carries', inSegment('"checkpoint":"', 40), ['verify/segment-malformed']],
  ['the edge of a segment', inSegment('"edge":["', 12), ['verify/segment-malformed']],
  ['an epoch’s document', inSegment('"ciphertext":"', 20), ['verify/segment-malformed']],
  ['a statement', inSegment('"ctx":"holdfast batch v1"', 40), ['verify/segment-malformed']],
  ['a record', inSegment('"t":"content","tag":"', 25), ['verify/segment-malformed']],
  ['an entry of the log', inSegment('"t":"pack"', 6), ['verify/segment-malformed']],
  ['the root in a tail', replaceRoot, ['verify/segment-root', 'verify/segment-signature']],
  ['the time in a tail', inSegment('Z","ctx":"holdfast segment tail', -13), ['verify/segment-signature']],
  ['a line end', inSegment('\n'), ['verify/segment-malformed']],
  [
    'the manifest',
    (archive) => flipAt(archive, archive.key('/segment/', 0), '"recipients"', 60),
    ['verify/segment-malformed'],
  ],
  ['a pack', flipIn('/pack/', 20), ['verify/pack-hash']],
  ['the last byte of a pack', flipIn('/pack/', -1), ['verify/pack-hash']],
  ['an object', flipIn('media/', 1000), ['verify/object-hash']],
  ['a heads object', flipIn('/heads/', 200), ['verify/heads-malformed']],
  [
    'the published checkpoint',
    (archive) => archive.put(CHECKPOINT, flip(archive.get(CHECKPOINT), 3)),
    ['verify/checkpoint-unsigned'],
  ],
  ['a segment without its last byte', cut('/segment/', 2, 1), ['verify/segment-malformed']],
  ['a segment without its last line', cut('/segment/', 2, 400), ['verify/segment-malformed']],
  ['the last segment cut short', cut('/segment/', -1, 100), ['verify/segment-malformed']],
  ['a pack cut short', cut('/pack/', 0, 1), ['verify/pack-size']],
  ['an object cut short', cut('media/', 0, 1), ['verify/object-size']],
  ['a heads object cut short', cut('/heads/', 0, 1), ['verify/heads-malformed']],
  ['the checkpoint cut short', cut('/checkpoint', 0, 10), ['verify/checkpoint-unsigned']],
  ['the last segments and the checkpoint taken away', cutOff, ['verify/end-unproven']],
];
