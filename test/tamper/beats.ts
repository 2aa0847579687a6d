// SPDX-License-Identifier: AGPL-3.0-or-later
import type { BeatEntry, GapEntry } from '../../src/record/entry-types.ts';
import type { Draft, DraftRecord } from '../verify/relog.ts';
import type { DraftRow } from './row.ts';

type Head = BeatEntry['heads'][number];

/** Beats come at 9, 10, 11, 12 and 13 o'clock. */
export function editBeat(n: number, change: (beat: BeatEntry) => Partial<BeatEntry>): (draft: Draft) => void {
  return (draft) => {
    const draftBeat = draft.all('beat').at(n) as DraftRecord & { record: BeatEntry };
    draftBeat.record = { ...draftBeat.record, ...change(draftBeat.record) };
  };
}

export function editHeads(n: number, change: (heads: Head[]) => Head[]): (draft: Draft) => void {
  return editBeat(n, ({ heads }) => ({ heads: change([...heads]) }));
}

export function placeOf(head: Head | undefined): [string, number] {
  return [head?.[0] ?? '', head?.[1] ?? 0];
}

/** Makes beats into other records of the process, and takes away the gaps that would cover the silence. */
export function mute(draft: Draft, ...numbers: number[]): void {
  withoutGaps(draft);
  const beats = draft.all('beat');
  for (const n of numbers) {
    const beat = beats.at(n) as DraftRecord;
    const { at, seq, stream, prev } = beat.record;
    const gap = { v: 1, t: 'gap', at, seq, stream, prev, cause: 'restart', scope: 'message', state: 'final' } as const;
    beat.record = gap satisfies GapEntry;
  }
}

export const BEATS: readonly DraftRow[] = [
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

/** Account gaps of the fixture cover an hour; without them silence shows. */
export function withoutGaps(draft: Draft): void {
  for (const { record } of draft.all('gap')) Object.assign(record, { scope: 'message' });
}
