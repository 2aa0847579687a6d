// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, type Json } from '../../src/record/canonical.ts';
import { ARCHIVER, CONNECTOR, signingPair } from '../vectors/keys.ts';
import { SECOND_CONNECTOR } from '../support/archive-fixture.ts';
import type { Draft, DraftBatch, DraftRecord, DraftSegment } from '../verify/relog.ts';
import type { DraftRow } from './row.ts';

const text = (entry: object): string => canonicalize(entry as Json);
const contentOf = (draft: Draft, n: number): DraftRecord => draft.all('content')[n] as DraftRecord;
const longBatch = (draft: Draft): DraftBatch => {
  return draft.segments.flatMap(({ batches }) => batches).find(({ records }) => records.length > 3) as DraftBatch;
};
const STRANGER = signingPair('stranger');

function genesis(draft: Draft): DraftSegment {
  return draft.segments[0] as DraftSegment;
}

export const ENTRIES: readonly DraftRow[] = [
  [
    'white space in a record',
    (draft) => void (contentOf(draft, 1).line = text(contentOf(draft, 1).record).replace(',"com"', ', "com"')),
    ['verify/entry-malformed'],
  ],
  [
    'members of a record in another order',
    (draft) => {
      const record = contentOf(draft, 1);
      record.line = JSON.stringify(Object.fromEntries(Object.entries(record.record).toReversed()));
    },
    ['verify/entry-malformed'],
  ],
  [
    'a record with one member more',
    (draft) => void (contentOf(draft, 1).line = text({ ...contentOf(draft, 1).record, zz: 1 })),
    ['verify/entry-malformed'],
  ],
  [
    'a record of an unknown type',
    (draft) => void (contentOf(draft, 1).line = text({ ...contentOf(draft, 1).record, t: 'letter' })),
    ['verify/entry-unknown-type'],
  ],
  [
    'a record over the limit',
    (draft) => void (contentOf(draft, 1).line = text({ ...contentOf(draft, 1).record, tag: 'a'.repeat(5000) })),
    ['verify/entry-too-large'],
  ],
  [
    'a beat whose part is after its last',
    (draft) => {
      const beat = draft.all('beat')[1] as DraftRecord;
      beat.line = text({ ...beat.record, part: [2, 1] });
    },
    ['verify/entry-rule'],
  ],
  [
    'an entry of the log’s own for another log',
    (draft) => {
      const store = genesis(draft).own.find(({ t }) => t === 'store') as { log: string };
      store.log = 'other.example/log';
    },
    ['verify/entry-origin'],
  ],
  [
    'an entry of the log’s own among records',
    (draft) => {
      const segment = draft.segments.find(({ batches }) => batches.length > 0) as DraftSegment;
      const batch = segment.batches.at(-1) as DraftBatch;
      batch.says = { count: batch.records.length + 1 };
    },
    ['verify/entry-order'],
  ],
];

export const BATCHES: readonly DraftRow[] = [
  ['no statement', (draft) => void (longBatch(draft).line = '{}'), ['verify/batch-malformed']],
  [
    'a signature by a key other than the named one',
    (draft) => Object.assign(longBatch(draft), { signer: STRANGER, says: { key: CONNECTOR.key.id } }),
    ['verify/batch-signature'],
  ],
  [
    'a signer that no manifest names',
    (draft) => void (longBatch(draft).signer = STRANGER),
    ['verify/batch-signer', 'verify/batch-stream-key'],
  ],
  [
    'an archiver as signer',
    (draft) => void (longBatch(draft).signer = ARCHIVER),
    ['verify/batch-signer', 'verify/batch-stream-key'],
  ],
  [
    'another connector than the stream’s',
    (draft) => void (longBatch(draft).signer = SECOND_CONNECTOR),
    ['verify/batch-stream-key'],
  ],
  ['another generation than the stream’s', (draft) => void (longBatch(draft).gen += 1), ['verify/batch-generation']],
  ['another log', (draft) => void (longBatch(draft).says = { origin: 'other.example/log' }), ['verify/batch-origin']],
  ['another first record', (draft) => void (longBatch(draft).says = { first: 77 }), ['verify/batch-first']],
  ['another last record', (draft) => void (longBatch(draft).says = { last: '0'.repeat(64) }), ['verify/batch-last']],
  [
    'records of another stream',
    (draft) => void (longBatch(draft).says = { stream: '0'.repeat(32) }),
    ['verify/batch-foreign-record'],
  ],
  [
    'more records than there are',
    (draft) => {
      const segment = draft.segments.findLast(({ batches }) => batches.length > 0) as DraftSegment;
      (segment.batches.at(-1) as DraftBatch).says = { count: 200 };
    },
    ['verify/batch-overrun'],
  ],
  [
    'fewer records than there are',
    (draft) => {
      const batch = longBatch(draft);
      const { batches } = draft.segmentOf(batch.records[0] as DraftRecord);
      batches.push(...batches.splice(batches.indexOf(batch), 1));
      batch.says = { count: batch.records.length - 1 };
    },
    ['verify/batch-last', 'verify/batch-uncovered'],
  ],
  [
    'a connector’s word on who looked',
    (draft) => {
      const record = longBatch(draft).records[1] as DraftRecord;
      record.record = { ...record.record, t: 'access' } as never;
    },
    ['verify/batch-role'],
  ],
  [
    'a hole in the place of one of its records',
    (draft) => {
      const { records } = longBatch(draft);
      const { id, record } = records[1] as DraftRecord;
      const { at, seq, stream } = record;
      const hole = { v: 1, t: 'hole', at, seq, stream, prev: '', count: 1, last: id };
      records.splice(1, 1, { id: 'none', body: null, record: hole as never });
    },
    ['verify/batch-hole'],
  ],
];
