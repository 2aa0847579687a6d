// SPDX-License-Identifier: AGPL-3.0-or-later
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { EMPTY_ROOT } from '../../src/record/hash.ts';
import { tileCheckpointKey, tilePrefix } from '../../src/record/layout.ts';
import { LOG, ORIGIN, ROOT } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { flip } from '../verify/subject.ts';
import { last } from './beside.ts';
import { cut } from './bytes.ts';
import type { ArchiveRow } from './row.ts';
import { openCheckpoint } from '../../src/record/checkpoint.ts';
import { TRUST } from '../support/archive-fixture.ts';

const tile = (path: string): string => `${tilePrefix(ORIGIN)}${path}`;

const flipped =
  (path: string, at: number): ArchiveRow[1] =>
  (archive) =>
    archive.put(tile(path), flip(archive.get(tile(path)), at));

const put =
  (path: string, bytes: Buffer | string): ArchiveRow[1] =>
  (archive) =>
    archive.put(tile(path), bytes);

function checkpoint(size: (own: number) => number, key = LOG): (archive: MemoryArchive) => void {
  return (archive) => {
    const { size: own, root } = openCheckpoint(last(archive), TRUST.log);
    const stated = { origin: ORIGIN, size: size(own), root: size(own) === own ? EMPTY_ROOT : root };
    archive.put(tileCheckpointKey(ORIGIN), signCheckpoint(stated, key.privateKey));
  };
}

/** The n-th entry of the first bundle loses its last byte to the one behind it: as many bytes, other entries. */
function shifted(archive: MemoryArchive): void {
  const bytes = archive.get(tile('entries/000'));
  const length = bytes.readUInt16BE(0);
  bytes.writeUInt16BE(length - 1, 0);
  archive.put(tile('entries/000'), bytes);
}

export const TILES: readonly ArchiveRow[] = [
  ['no tile at all', (archive) => archive.keys(tilePrefix(ORIGIN)).forEach((key) => archive.remove(key)), []],
  ['one bit of a full tile', flipped('0/000', 70), ['verify/tile-other']],
  ['one bit of a partial tile', flipped('0/001.p/83', -1), ['verify/tile-other']],
  ['one bit of a tile of the second level', flipped('1/000.p/1', 3), ['verify/tile-other']],
  ['one bit of an entry bundle', flipped('entries/000', 700), ['verify/tile-other']],
  ['a length within an entry bundle', shifted, ['verify/tile-other']],
  ['a tile cut short', cut('/tile/0/', 0, 32), ['verify/tile-other']],
  ['an entry bundle cut short', cut('/tile/entries/', 0, 1), ['verify/tile-other']],
  ['an empty tile', put('0/000', ''), ['verify/tile-other']],
  ['a tile of leaves that the log has not', put('0/002.p/1', Buffer.alloc(32)), ['verify/tile-ahead']],
  ['a tile wider than the log is there', put('0/001.p/200', Buffer.alloc(200 * 32)), ['verify/tile-ahead']],
  ['a bundle of leaves that the log has not', put('entries/x001/000', 'x'), ['verify/tile-ahead']],
  ['a tile of a level that the log has not', put('2/000.p/1', Buffer.alloc(32)), ['verify/tile-ahead']],
  ['a narrower tile of before, as it was', narrower, []],
  ['a narrower tile of before with other bytes', put('0/001.p/7', Buffer.alloc(7 * 32)), ['verify/tile-other']],
  ['a name that no tile has', put('0/0000', 'x'), ['verify/version-unknown-key']],
  ['a second name for a tile', put('0/000.p/256', 'x'), ['verify/version-unknown-key']],
  ['a checkpoint beside them by another key', checkpoint((own) => own, ROOT), ['verify/tile-checkpoint-unsigned']],
  ['a checkpoint beside them that is no note', put('checkpoint', 'x'), ['verify/tile-checkpoint-unsigned']],
  ['a checkpoint beside them of another log', checkpoint((own) => own), ['verify/checkpoint-root']],
  ['a checkpoint beside them of another log, earlier', checkpoint((own) => own - 7), ['verify/checkpoint-root']],
  ['a checkpoint beside them ahead of the log', checkpoint((own) => own + 1), ['verify/checkpoint-ahead']],
  ['a checkpoint beside them of 10^15 leaves', checkpoint(() => 10 ** 15), ['verify/checkpoint-ahead']],
];

function narrower(archive: MemoryArchive): void {
  archive.put(tile('0/001.p/7'), archive.get(tile('0/001.p/83')).subarray(0, 7 * 32));
}

export const TILES_NOTED: readonly ArchiveRow[] = [
  ['a tile that is missing', (archive) => archive.remove(tile('0/000')), ['verify/tile-missing']],
  ['an entry bundle that is missing', (archive) => archive.remove(tile('entries/001.p/83')), ['verify/tile-missing']],
];
