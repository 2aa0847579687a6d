// SPDX-License-Identifier: AGPL-3.0-or-later
import { openCheckpoint, signCheckpoint } from '../../src/record/checkpoint.ts';
import { parseNote } from '../../src/record/note.ts';
import { witnessPrefix } from '../../src/record/layout.ts';
import { TRUST } from '../support/archive-fixture.ts';
import { LOG, ORIGIN, ROOT } from '../vectors/keys.ts';
import type { MemoryArchive } from '../verify/memory-archive.ts';
import { flip } from '../verify/subject.ts';
import { carried, keep, last, WITNESSES, witnessed } from './beside.ts';
import type { ArchiveRow } from './row.ts';

const { ONE, TWO, THREE } = WITNESSES;

function none(archive: MemoryArchive): void {
  for (const key of archive.keys(witnessPrefix(ORIGIN))) archive.remove(key);
}

const cosignedBy =
  (note: (archive: MemoryArchive) => string, ...pairs: readonly (typeof ONE)[]): ArchiveRow[1] =>
  (archive) => {
    none(archive);
    witnessed(archive, note(archive), pairs);
  };

/** One more checkpoint that all cosigned, as witnesses of another view would have. */
const andSeen =
  (size: (own: number) => number): ArchiveRow[1] =>
  (archive) => {
    const { size: own, root } = openCheckpoint(last(archive), TRUST.log);
    const note = signCheckpoint({ origin: ORIGIN, size: size(own), root }, LOG.privateKey);
    witnessed(archive, note, [ONE, TWO, THREE]);
  };

function badLine(archive: MemoryArchive): void {
  const note = last(archive);
  const good = parseNote(archive.get(witnessed(archive, note, [THREE]))).signatures.at(-1);
  const body = Buffer.concat([good?.hash ?? Buffer.alloc(0), flip(good?.signature ?? Buffer.alloc(1), -1)]);
  keep(archive, Buffer.from(`${note}— three.example ${body.toString('base64')}\n`), note);
}

const changed =
  (at: number): ArchiveRow[1] =>
  (archive) => {
    const [key = ''] = archive.keys(witnessPrefix(ORIGIN));
    archive.put(key, flip(archive.get(key), at));
  };

export const COSIGNED: readonly ArchiveRow[] = [
  ['nothing cosigned', none, ['verify/quorum-missing']],
  ['one witness too few', cosignedBy(last, ONE), ['verify/quorum-missing']],
  ['enough witnesses, but not those that must be', cosignedBy(last, TWO, THREE), ['verify/quorum-missing']],
  ['the witnesses’ words in two objects', splitWords, []],
  [
    'no quorum for a day in which the log went on',
    cosignedBy((archive) => carried(archive, 3), ONE, TWO),
    ['verify/quorum-stale'],
  ],
  ['another log of a size it had', andSeen((own) => own - 1), ['verify/witness-fork']],
  ['more leaves than there are', andSeen((own) => own + 9), ['verify/witness-rollback']],
  ['a cosignature that does not verify', badLine, ['verify/witness-signature']],
  ['one bit of the text', changed(25), ['verify/witness-malformed', 'verify/quorum-missing']],
  ['one bit of a cosignature', changed(-20), ['verify/witness-malformed', 'verify/quorum-missing']],
  [
    'a checkpoint that the log did not sign',
    (archive) => {
      const { size, root } = openCheckpoint(last(archive), TRUST.log);
      witnessed(archive, signCheckpoint({ origin: ORIGIN, size, root }, ROOT.privateKey), [ONE, TWO], size);
    },
    ['verify/witness-malformed'],
  ],
  [
    'a checkpoint under another size',
    (archive) => void witnessed(archive, last(archive), [ONE, TWO], 7),
    ['verify/witness-malformed'],
  ],
  [
    'a name that no cosigned checkpoint has',
    (archive) => archive.put(`${witnessPrefix(ORIGIN)}x`, 'x'),
    ['verify/version-unknown-key'],
  ],
];

function splitWords(archive: MemoryArchive): void {
  none(archive);
  witnessed(archive, last(archive), [ONE]);
  witnessed(archive, last(archive), [THREE]);
}

export const COSIGNED_NOTED: readonly ArchiveRow[] = [
  [
    'newest leaves that are not cosigned yet',
    cosignedBy((archive) => carried(archive, -1), ONE, TWO),
    ['verify/quorum-behind'],
  ],
  [
    'a cosigned checkpoint with nobody’s words that count',
    (archive) => void witnessed(archive, last(archive), []),
    ['verify/witness-unknown'],
  ],
];
