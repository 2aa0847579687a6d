// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, test } from 'vitest';
import type { FindingCode } from '../../src/verify/findings.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { relog, type Draft, type DraftBatch, type DraftRecord } from './relog.ts';
import { codesAfter, codesOf, notesOf, smallArchive, verify } from './subject.ts';
import { STREAMS, longBatch, opens } from '../tamper/streams.ts';

describe('streams, written with all keys in hand', () => {
  let archive: MemoryArchive;
  beforeAll(async () => void (archive = await smallArchive()));

  async function notesAfter(change: (draft: Draft) => void): Promise<[FindingCode[], FindingCode[]]> {
    const copy = archive.clone();
    relog(copy, change);
    const report = await verify(copy);
    return [codesOf(report), notesOf(report)];
  }

  test('judges what spans segments as it judges what does not', async () => {
    for (const [, change, codes] of STREAMS) {
      const split = (draft: Draft): void => {
        change(draft);
        for (const { batches } of draft.segments) batches.splice(0, batches.length, ...batches.flatMap(perRecord));
      };
      expect(await codesAfter(archive, (copy) => relog(copy, split))).toEqual(codes);
    }
  });

  test('a stream that names no earlier one, and clocks that go back or ahead, are notes', async () => {
    const noLast = await notesAfter((draft) => void delete opens(draft).second.last);
    expect(noLast).toEqual([[], ['verify/stream-no-last']]);
    const back = await notesAfter((draft) => setTime(draft, '2026-11-22T08:59:00Z'));
    expect(back).toEqual([[], ['verify/clock-back']]);
    const ahead = await notesAfter((draft) => setTime(draft, '2026-11-22T09:30:00Z'));
    expect(ahead).toEqual([[], ['verify/clock-back', 'verify/clock-ahead']]);
  });

  test('a hole admits a loss: a note, counted in the account', async () => {
    const copy = archive.clone();
    relog(copy, (draft) => {
      const batch = longBatch(draft);
      const { records } = batch;
      const [first, lost] = [records[1], records[3]] as DraftRecord[];
      const { at, seq, stream } = (first as DraftRecord).record;
      const hole = { v: 1, t: 'hole', at, seq, stream, prev: '', count: 3, last: (lost as DraftRecord).id };
      records.splice(1, 3, { id: 'none', body: null, record: hole as never });
      const { batches } = draft.segmentOf(first as DraftRecord);
      batches.splice(batches.indexOf(batch) + 1, 0, { ...batch, records: records.splice(2) });
    });
    const report = await verify(copy);
    expect([codesOf(report), notesOf(report)]).toEqual([[], ['verify/stream-hole']]);
    expect(report.coverage.reduce((sum, { lost }) => sum + lost, 0)).toBe(3);
  });
});

function setTime(draft: Draft, at: string): void {
  Object.assign((longBatch(draft).records[2] as DraftRecord).record, { at });
}

/** Every record under a statement of its own. */
function perRecord(batch: DraftBatch): DraftBatch[] {
  return batch.records.map((record) => ({ ...batch, records: [record] }));
}
