// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import type { GapEntry } from '../../src/record/entry-types.ts';
import { SECOND_CONNECTOR } from '../support/archive-fixture.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog, type Draft, type DraftRecord } from './relog.ts';
import { codesAfter, codesOf, notesOf, smallArchive, verify } from './subject.ts';
import { BEATS, editHeads, mute, placeOf, withoutGaps } from '../tamper/beats.ts';

describe('beats, written with all keys in hand', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  test.each(BEATS)('judges %s', async (_name, change, codes) => {
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
