// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect } from 'vitest';
import type { OpenEntry, StreamHead } from '../../src/record/entry-types.ts';
import { SECOND_CONNECTOR } from '../support/archive-fixture.ts';
import type { Draft, DraftBatch, DraftRecord, DraftSegment } from '../verify/relog.ts';
import type { DraftRow } from './row.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NOWHERE = '0'.repeat(64);

/** `open` records: of the process, of the signal account, of the whatsapp account, and of the signal account's second stream. */
export function opens(draft: Draft): {
  process: Mutable<OpenEntry>;
  signal: Mutable<OpenEntry>;
  whatsapp: Mutable<OpenEntry>;
  second: Mutable<OpenEntry>;
} {
  const all = draft.all('open').map(({ record }) => record);
  const of = (app: string): OpenEntry[] => all.filter((open) => open.app === app);
  const [signal, second] = of('signal').toSorted((a, b) => a.gen - b.gen);
  return { process: of('holdfast')[0], signal, whatsapp: of('whatsapp')[0], second } as never;
}

/** A batch in which a stream says several things. */
export function longBatch(draft: Draft): DraftBatch {
  const all = draft.segments.flatMap(({ batches }) => batches);
  return all.find(({ records }) => records.filter(({ record }) => record.t === 'content').length > 3) as DraftBatch;
}

function setGeneration(draft: Draft, open: Mutable<OpenEntry>, gen: number): void {
  open.gen = gen;
  for (const batch of draft.batchesOf(open.stream)) batch.gen = gen;
}

/** The whatsapp account's stream becomes another stream of the signal account. */
function sameAccount(draft: Draft): void {
  const { signal, whatsapp, second } = opens(draft);
  whatsapp.acct = signal.acct;
  setGeneration(draft, whatsapp, signal.gen + 1);
  setGeneration(draft, second, Math.max(second.gen, signal.gen + 2));
}

function last(draft: Draft, change: Partial<StreamHead>): void {
  const { second } = opens(draft);
  second.last = { ...(second.last as StreamHead), ...change };
}

/**
 * The signal account goes on with another device, opened `at`. What is left of its first stream, records of 10:00 and a `close` of 11:00, comes before or
 * behind that `open` in the log.
 */
function lateTail(at: string, place: 'before' | 'behind'): DraftRow[1] {
  return (draft) => {
    const { signal, second } = opens(draft);
    // No beat of this process may list the other device's stream, which so is silent for less than two hours.
    draft.segments.splice(-2);
    Object.assign(second, { key: SECOND_CONNECTOR.key.id, at });
    for (const batch of draft.batchesOf(second.stream)) batch.signer = SECOND_CONNECTOR;
    const from = draft.segmentOf(draft.all('media')[0] as DraftRecord);
    const to = draft.segmentOf(draft.all('close')[0] as DraftRecord);
    draft.segments.splice(draft.segments.indexOf(from), 1);
    const tail = [...from.batches, ...to.batches.filter(({ stream }) => stream === signal.stream)];
    const others = to.batches.filter(({ stream }) => stream !== signal.stream);
    to.batches = place === 'before' ? [...tail, ...others] : [...others, ...tail];
    to.docs = [...new Set([...to.docs, ...from.docs])];
  };
}

export const STREAMS: readonly DraftRow[] = [
  ['a record that was dropped', (draft) => void longBatch(draft).records.splice(2, 1), ['verify/stream-sequence']],
  [
    'a record that is there twice',
    (draft) => {
      const { records } = longBatch(draft);
      records.splice(2, 0, { ...(records[2] as DraftRecord) });
    },
    ['verify/stream-sequence', 'verify/epoch-index-reused'],
  ],
  [
    'two records that changed places',
    (draft) => {
      const { records } = longBatch(draft);
      records.splice(2, 2, records[3] as DraftRecord, records[2] as DraftRecord);
    },
    ['verify/stream-sequence', 'verify/epoch-index-order'],
  ],
  [
    'a record behind another than the one that is there',
    (draft) => {
      const record = longBatch(draft).records[2] as DraftRecord;
      Object.assign(record, { keepsPrev: true, record: { ...record.record, prev: NOWHERE } });
    },
    ['verify/stream-chain'],
  ],
  [
    'a first record that does not begin at the log’s name',
    (draft) => {
      const record = draft.all('open')[1] as DraftRecord;
      Object.assign(record, { keepsPrev: true, record: { ...record.record, prev: NOWHERE } });
    },
    ['verify/stream-chain'],
  ],
  [
    'a stream that nobody opened',
    (draft) => {
      const open = draft.all('open').find(({ record }) => record.app === 'holdfast') as DraftRecord;
      const segment = draft.segmentOf(open);
      segment.batches = segment.batches.filter((batch) => batch !== draft.batchOf(open));
      // Heads cannot tell of such a stream, so something else takes their place.
      const other = draft.segments[0]?.own.at(-1) as DraftSegment['own'][number];
      segment.own.push(other);
      for (const each of draft.segments) each.own = each.own.map((entry) => (entry.t === 'heads' ? other : entry));
    },
    ['verify/stream-unopened'],
  ],
  [
    'records after the stream was closed',
    (draft) => {
      const close = draft.all('close')[0] as DraftRecord;
      const { records } = draft.batchOf(close);
      const { seq, stream } = close.record;
      const more = {
        ...close,
        id: 'none',
        record: { ...close.record, t: 'beat', heads: [], part: [1, 1], seq: seq + 1 },
      };
      delete (more.record as { reason?: string }).reason;
      records.splice(records.indexOf(close) + 1, 0, more as unknown as DraftRecord);
      expect(stream).toBe(opens(draft).signal.stream);
    },
    ['verify/stream-closed'],
  ],
  [
    'a generation that was there before',
    (draft) => setGeneration(draft, opens(draft).second, opens(draft).signal.gen),
    ['verify/stream-generation'],
  ],
  [
    'a generation that uses up the numbers',
    (draft) => setGeneration(draft, opens(draft).second, 10 ** 14),
    ['verify/stream-generation-far'],
  ],
  [
    'a first generation that uses up the numbers',
    (draft) => setGeneration(draft, opens(draft).whatsapp, 10 ** 14),
    ['verify/stream-generation-far'],
  ],
  [
    'a stream that was opened for another key',
    (draft) => void (opens(draft).whatsapp.key = SECOND_CONNECTOR.key.id),
    ['verify/batch-stream-key'],
  ],
  [
    'two streams of an account side by side under different keys',
    (draft) => {
      sameAccount(draft);
      const { whatsapp } = opens(draft);
      whatsapp.key = SECOND_CONNECTOR.key.id;
      for (const batch of draft.batchesOf(whatsapp.stream)) batch.signer = SECOND_CONNECTOR;
    },
    ['verify/stream-parallel'],
  ],
  ['two streams of an account side by side under one key', sameAccount, []],
  [
    'a late tail of an account’s older device, whose `close` came an hour after the new one began',
    lateTail('2026-11-22T10:00:00Z', 'behind'),
    [],
  ],
  [
    'a late tail with records that were made after the new one began',
    lateTail('2026-11-22T09:50:00Z', 'behind'),
    ['verify/stream-parallel'],
  ],
  ['the same before the new one was opened in the log', lateTail('2026-11-22T09:50:00Z', 'before'), []],
  ['an earlier stream whose tail is missing', (draft) => last(draft, { seq: 500 }), ['verify/stream-tail-missing']],
  [
    'an earlier stream that is not there',
    (draft) => last(draft, { stream: '1'.repeat(32) }),
    ['verify/stream-tail-missing'],
  ],
  ['an earlier stream that ends otherwise', (draft) => last(draft, { id: NOWHERE }), ['verify/stream-tail-other']],
  ['an earlier stream with another record there', (draft) => last(draft, { seq: 2 }), ['verify/stream-tail-other']],
  [
    'a gap behind an earlier stream whose tail is missing',
    (draft) => {
      const gap = draft.all('gap')[0] as DraftRecord;
      gap.record = { ...gap.record, last: { stream: '1'.repeat(32), seq: 9, id: NOWHERE } } as typeof gap.record;
    },
    ['verify/stream-tail-missing'],
  ],
  [
    'an earlier stream of another account',
    (draft) => last(draft, { stream: opens(draft).whatsapp.stream, seq: 0 }),
    ['verify/stream-last-account'],
  ],
];
