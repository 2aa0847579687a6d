// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { StreamTip } from '../../src/archive/admission.ts';
import type { SealedRecord } from '../../src/queue/job.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { BEAT, Bench, idOf, record, refusal, signed } from '../support/admission-bench.ts';
import { MANIFEST, nextManifest } from '../support/archiver-kit.ts';
import { hexOf, READER, STRANGER } from '../vectors/keys.ts';

describe('admission takes', () => {
  it('an opening, and then one batch after the other', () => {
    const bench = new Bench();
    const stream = bench.opened();
    for (let round = 0; round < 3; round += 1) {
      expect(bench.take(bench.kit.first.messages(stream, 4))).toMatchObject({
        outcome: 'take',
        tip: { seq: stream.seq, id: stream.prev },
      });
    }
  });

  it('what follows a hole by what the hole stands for', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const hole = bench.kit.first.add(stream, [{ t: 'beat' }, { t: 'hole', count: 40 }]);
    expect(bench.take(hole)).toMatchObject({ tip: { seq: 41, leafId: hole.ids[1], id: stream.prev } });
    expect(bench.take(bench.kit.first.add(stream, [{ t: 'beat' }]))).toMatchObject({ tip: { seq: 42 } });
  });

  it('epochs for the recipients of an earlier manifest', () => {
    const recipients = [{ ...READER.recipient, role: 'escrow' as const }, STRANGER.recipient];
    const bench = new Bench(nextManifest(MANIFEST, { recipients }));
    const stream = bench.opened();
    expect(bench.take(bench.kit.first.messages(stream, 1)).outcome).toBe('take');
  });

  it('of the documents in a job those that its records name, and no others', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const batch = bench.kit.first.messages(stream, 2);
    const epochs = [
      'not a document',
      'two\nlines',
      ...batch.job.epochs,
      batch.job.epochs[0] as string,
      'x'.repeat(100_000),
    ];
    const admission = bench.judge(batch, { epochs });
    expect(admission).toMatchObject({
      outcome: 'take',
      epochs: new Map([[sha256Hex(bench.kit.first.epoch), bench.kit.first.epoch]]),
    });
  });

  it('objects once each, however many records name them', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const [x, y] = [
      { h: hexOf('x'), n: 5 },
      { h: hexOf('y'), n: 6 },
    ];
    const batch = bench.kit.first.add(stream, [
      { t: 'content', obj: [x, y] },
      { t: 'content', obj: [x] },
      { t: 'content', ret: 'other', obj: [x] },
    ]);
    expect(bench.judge(batch)).toMatchObject({
      objects: [
        { ...x, ret: 'GRS-6.1-011' },
        { ...y, ret: 'GRS-6.1-011' },
        { ...x, ret: 'other' },
      ],
    });
  });
});

describe('admission asks', () => {
  it('for the beginning of a stream it does not know', () => {
    const bench = new Bench();
    const stream = bench.kit.first.open();
    expect(bench.judge(bench.kit.first.messages(stream, 2))).toEqual({ outcome: 'want', seq: 0 });
  });

  it('for the record behind its head', () => {
    const bench = new Bench();
    const stream = bench.opened();
    bench.kit.first.messages(stream, 2);
    expect(bench.judge(bench.kit.first.messages(stream, 2))).toEqual({ outcome: 'want', seq: 1 });
  });
});

describe('admission knows', () => {
  it('every batch that it took before', () => {
    const bench = new Bench();
    const stream = bench.opened();
    for (let round = 0; round < 3; round += 1)
      bench.take(bench.kit.first.add(stream, [{ t: 'beat' }, { t: 'hole', count: 2 }]));
    for (const batch of stream.batches) expect(bench.judge(batch)).toEqual({ outcome: 'known' });
  });

  it.each([true, false])('a batch that ends behind its head, leaf known: %s', (isLeafKnown) => {
    const bench = new Bench();
    const stream = bench.opened();
    const lines = [record(stream, BEAT)];
    lines.push(record(stream, BEAT, 2, idOf(lines[0])), record(stream, BEAT, 3, idOf(lines[0])));
    lines[2] = record(stream, BEAT, 3, idOf(lines[1]));
    bench.take(signed(stream, lines.slice(0, 2)));
    const tip = bench.tips.get(stream.stream) as StreamTip;
    if (!isLeafKnown) bench.tips.set(stream.stream, { ...tip, leafId: null });
    expect(bench.judge(signed(stream, lines))).toEqual({ outcome: 'known' });
    expect(bench.judge(signed(stream, lines.slice(1)))).toEqual({ outcome: 'known' });
  });
});

describe('what was changed on the way', () => {
  it('is never held against the signer as a fork', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const old = bench.kit.first.add(stream, [{ t: 'beat' }, { t: 'beat' }]);
    bench.take(old);
    bench.take(bench.kit.first.add(stream, [{ t: 'beat' }, { t: 'beat' }]));
    // The end of an old batch is made to look like another record at our head.
    for (const seq of [1, 2, 3, 4, 5]) {
      const records = [old.job.records[0] as SealedRecord, record(stream, { t: 'close', reason: 'moved' }, seq)];
      expect(bench.judge(old, { records })).toEqual(refusal('archive/broken-chain'));
    }
  });
});
