// SPDX-License-Identifier: AGPL-3.0-or-later
import { sha256Hex } from '../../src/record/hash.ts';
import { checkpointKey, headsKey, mediaKey, packKey } from '../../src/record/layout.ts';
import { LONG_CLASS } from '../support/archive-fixture.ts';
import { ORIGIN } from '../vectors/keys.ts';
import { relog, type Draft, type DraftRecord } from '../verify/relog.ts';
import { editHeads, placeOf } from './beats.ts';
import { ceremony } from './escrow.ts';
import { busy } from './packs.ts';
import type { ArchiveRow } from './row.ts';
import { segmentAt } from './segments.ts';
import { longBatch, opens } from './streams.ts';

function logged(change: (draft: Draft) => void): ArchiveRow[1] {
  return (archive) => relog(archive, change);
}

function dated(at: string): ArchiveRow[1] {
  return logged((draft) => void Object.assign((longBatch(draft).records[2] as DraftRecord).record, { at }));
}

/** Three records of a batch become a hole that stands for them. */
function hole(draft: Draft): void {
  const batch = longBatch(draft);
  const { records } = batch;
  const [first, lost] = [records[1], records[3]] as [DraftRecord, DraftRecord];
  const { at, seq, stream } = first.record;
  const entry = { v: 1, t: 'hole', at, seq, stream, prev: '', count: 3, last: lost.id };
  records.splice(1, 3, { id: 'none', body: null, record: entry as never });
  const { batches } = draft.segmentOf(first);
  batches.splice(batches.indexOf(batch) + 1, 0, { ...batch, records: records.splice(2) });
}

/** What proves nothing against an archive and is worth knowing. The codes are those of notes. */
export const NOTED: readonly ArchiveRow[] = [
  ['no published checkpoint', (archive) => archive.remove(checkpointKey(ORIGIN)), ['verify/checkpoint-missing']],
  [
    'a published checkpoint that was rolled back by a segment',
    (archive) => archive.put(checkpointKey(ORIGIN), segmentAt(archive, -1).head.checkpoint),
    ['verify/checkpoint-behind'],
  ],
  ['a clock that was set back', dated('2026-11-22T08:59:00Z'), ['verify/clock-back']],
  ['a clock that ran ahead for a record', dated('2026-11-22T09:30:00Z'), ['verify/clock-back', 'verify/clock-ahead']],
  [
    'a stream that does not name the account’s earlier one',
    logged((draft) => void delete opens(draft).second.last),
    ['verify/stream-no-last'],
  ],
  ['records that were admitted lost', logged(hole), ['verify/stream-hole']],
  [
    'a last beat that is ahead of the log',
    logged(
      editHeads(-1, ([first, ...others]) => [[placeOf(first)[0], placeOf(first)[1] + 7, '0'.repeat(64)], ...others]),
    ),
    ['verify/beat-ahead'],
  ],
  [
    'a gap that ends one which the log lacks',
    logged((draft) => {
      for (const { record } of draft.all('gap'))
        if (record.ref !== undefined) Object.assign(record, { ref: '0'.repeat(64) });
    }),
    ['verify/gap-reference'],
  ],
  [
    'a pack that nothing names',
    (archive) => archive.put(packKey(ORIGIN, sha256Hex('pack')), 'pack'),
    ['verify/pack-orphan'],
  ],
  [
    'an object that nothing names',
    (archive) => archive.put(mediaKey(sha256Hex('object')), 'object'),
    ['verify/object-orphan'],
  ],
  ['heads that nothing names', (archive) => archive.put(headsKey(ORIGIN, 7), 'x'), ['verify/heads-orphan']],
  [
    'a document that nothing in its segment names',
    logged((draft) => void busy(draft).docs.push('{"a":"document"}')),
    ['verify/segment-unused-document'],
  ],
  [
    'a ceremony that nobody hears of any more',
    logged((draft) => ceremony(draft, { at: '2026-11-01T08:00:00Z' })),
    ['verify/escrow-open'],
  ],
  [
    'a class without a schedule',
    logged(({ segments }) => {
      for (const segment of segments) {
        segment.own = segment.own.filter((entry) => entry.t !== 'retention' || entry.class !== LONG_CLASS);
      }
    }),
    ['verify/pack-provisional'],
  ],
];
