// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import type { BeatEntry, GapEntry } from '../../src/record/entry-types.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { SECOND_CONNECTOR } from '../support/archive-fixture.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog, type Draft, type DraftRecord } from './relog.ts';
import { codesAfter, codesOf, notesOf, smallArchive, verify } from './subject.ts';

type Row = readonly [string, (draft: Draft) => void, readonly FindingCode[]];
type Head = BeatEntry['heads'][number];

/** Beats come at 9, 10, 11, 12 and 13 o'clock. */
function editBeat(n: number, change: (beat: BeatEntry) => Partial<BeatEntry>): (draft: Draft) => void {
  return (draft) => {
    const draftBeat = draft.all('beat').at(n) as DraftRecord & { record: BeatEntry };
    draftBeat.record = { ...draftBeat.record, ...change(draftBeat.record) };
  };
}

function editHeads(n: number, change: (heads: Head[]) => Head[]): (draft: Draft) => void {
  return editBeat(n, ({ heads }) => ({ heads: change([...heads]) }));
}

function placeOf(head: Head | undefined): [string, number] {
  return [head?.[0] ?? '', head?.[1] ?? 0];
}

/** Makes beats into other records of the process, and takes away the gaps that would cover the silence. */
function mute(draft: Draft, ...numbers: number[]): void {
  withoutGaps(draft);
  const beats = draft.all('beat');
  for (const n of numbers) {
    const beat = beats.at(n) as DraftRecord;
    const { at, seq, stream, prev } = beat.record;
    const gap = { v: 1, t: 'gap', at, seq, stream, prev, cause: 'restart', scope: 'message', state: 'final' } as const;
    beat.record = gap satisfies GapEntry;
  }
}

const ROWS: readonly Row[] = [
  ['a beat of which a part is missing', editBeat(1, () => ({ part: [1, 2] })), ['verify/beat-parts']],
  ['a beat that begins in its middle', editBeat(1, () => ({ part: [2, 2] })), ['verify/beat-parts']],
  ['a beat whose streams are out of order', editHeads(1, (heads) => heads.toReversed()), ['verify/entry-rule']],
  [
    'a beat whose parts are out of order',
    (draft) => {
      editBeat(1, () => ({ part: [1, 2] }))(draft);
      editBeat(2, () => ({ part: [2, 2] }))(draft);
    },
    ['verify/beat-parts'],
  ],
  [
    'a beat that names another record than is there',
    editHeads(2, ([first, ...others]) => [[...placeOf(first), '0'.repeat(64)], ...others]),
    ['verify/beat-head-other'],
  ],
  [
    'a beat that names a stream which the log lacks',
    editHeads(2, (heads) => [...heads, ['f'.repeat(32), 3, '0'.repeat(64)]]),
    ['verify/beat-records-missing'],
  ],
  [
    'a beat that names records which the log lacks',
    editHeads(2, ([first, ...others]) => [[placeOf(first)[0], 500, '0'.repeat(64)], ...others]),
    ['verify/beat-records-missing'],
  ],
  ['one missed beat', (draft) => mute(draft, 2), []],
  ['two missed beats', (draft) => mute(draft, 2, 3), ['verify/silence-process', 'verify/silence-stream']],
  ['no beat at all', (draft) => mute(draft, 0, 1, 2, 3, 4), ['verify/silence-process', 'verify/silence-stream']],
  ['no beat from some time on', (draft) => mute(draft, 2, 3, 4), ['verify/silence-process', 'verify/silence-stream']],
  [
    'a stream that no beat lists, for no longer than two hours',
    (draft) => {
      const signal = draft.all('open').find(({ record }) => record.app === 'signal')?.record.stream;
      for (const n of [0, 1, 2]) editHeads(n, (heads) => heads.filter(([stream]) => stream !== signal))(draft);
    },
    [],
  ],
  [
    'a stream that beats forget',
    (draft) => {
      withoutGaps(draft);
      const whatsapp = draft.all('open').find(({ record }) => record.app === 'whatsapp')?.record.stream;
      for (const n of [2, 3, 4]) editHeads(n, (heads) => heads.filter(([stream]) => stream !== whatsapp))(draft);
    },
    ['verify/silence-stream'],
  ],
];

describe('beats, written with all keys in hand', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test.each(ROWS)('judges %s', async (_name, change, codes) => {
    expect(await codesAfter(archive, (copy) => relog(copy, change))).toEqual(codes);
    expect(await codesAfter(archive, (copy) => relog(copy, change), { windowIds: 1 })).toEqual(codes);
  });

  test('the last beat may be ahead of the log: its records are on their way', async () => {
    const copy = archive.clone();
    relog(
      copy,
      editHeads(-1, ([first, ...others]) => [[placeOf(first)[0], placeOf(first)[1] + 7, '0'.repeat(64)], ...others]),
    );
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/beat-ahead']]);
  });

  test('beats of another key prove nothing about a stream', async () => {
    const copy = archive.clone();
    relog(copy, (draft) => {
      const whatsapp = draft.all('open').find(({ record }) => record.app === 'whatsapp') as DraftRecord;
      Object.assign(whatsapp.record, { key: SECOND_CONNECTOR.key.id });
      for (const batch of draft.batchesOf(whatsapp.record.stream)) batch.signer = SECOND_CONNECTOR;
      withoutGaps(draft);
    });
    const report = await verify(copy);
    expect(notesOf(report)).toEqual(['verify/beat-foreign-stream']);
    expect(codesOf(report)).toEqual(['verify/silence-stream']);
  });

  test('a gap over the account covers silence; a gap over one message does not', async () => {
    const change =
      (scope: GapEntry['scope']) =>
      (draft: Draft): void => {
        mute(draft, 2, 3);
        for (const { record } of draft.all('gap')) {
          if (record.state === 'closed')
            Object.assign(record, { scope, from: '2026-11-22T10:00:00Z', to: '2026-11-22T13:00:00Z' });
        }
      };
    const covered = await codesAfter(archive, (copy) => relog(copy, change('account')));
    const uncovered = await codesAfter(archive, (copy) => relog(copy, change('message')));
    expect(covered).toEqual([]);
    expect(uncovered).toEqual(['verify/silence-process', 'verify/silence-stream']);
  });

  test('a gap that ends one which the log lacks is a note', async () => {
    const copy = archive.clone();
    relog(copy, (draft) => {
      for (const { record } of draft.all('gap'))
        if (record.ref !== undefined) Object.assign(record, { ref: '0'.repeat(64) });
    });
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/gap-reference']]);
    expect(report.coverage.reduce((sum, { openGaps }) => sum + openGaps, 0)).toBe(1);
  });
});

/** Account gaps of the fixture cover an hour; without them silence shows. */
function withoutGaps(draft: Draft): void {
  for (const { record } of draft.all('gap')) Object.assign(record, { scope: 'message' });
}
