// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { BatchJob, SealedRecord } from '../../src/queue/job.ts';
import { encodeEntry } from '../../src/record/entry.ts';
import { openManifest } from '../../src/record/manifest.ts';
import { BEAT, Bench, idOf, record, refusal, signed } from '../support/admission-bench.ts';
import { MANIFEST, nextManifest, ORIGIN, SECOND_CONNECTOR } from '../support/archiver-kit.ts';
import { BatchSender, type SentBatch } from '../support/batch-sender.ts';
import { AT, CONNECTOR, hexOf, READER, ROOT, signingPair, STRANGER } from '../vectors/keys.ts';

describe('admission refuses', () => {
  it('a batch for another log', () => {
    const bench = new Bench();
    const stream = bench.kit.first.open();
    const batch = signed(stream, stream.batches[0]?.job.records ?? [], {
      statement: { origin: 'agency.example/other' },
    });
    expect(bench.judge(batch)).toEqual(refusal('archive/other-log', false));
  });

  it.each([
    ['a stranger', [] as string[], signingPair('stranger')],
    ['a connector that the manifest no longer names', [nextManifest(MANIFEST, { signers: [] })], CONNECTOR],
  ])('a batch by %s', (_who, manifests, pair) => {
    const bench = new Bench(...manifests);
    const stream = bench.kit.first.open();
    expect(bench.judge(signed(stream, stream.batches[0]?.job.records ?? [], { pair }))).toEqual(
      refusal('archive/unknown-signer', false),
    );
  });

  it('a forged signature, and answers nobody', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const batch = bench.kit.first.messages(stream, 2);
    const { statement } = batch.job;
    for (const change of [
      { count: 2, first: 2 },
      { gen: 2 },
      { last: hexOf('other') },
      { key: SECOND_CONNECTOR.key.id },
    ]) {
      expect(bench.judge(batch, { statement: { ...statement, ...change } })).toEqual(
        refusal('format/batch-signature', false),
      );
    }
  });

  it('a stream that does not begin with its own opening', () => {
    const bench = new Bench();
    const [stream, other] = [bench.kit.first.open(), bench.kit.second.open()];
    const [opening] = stream.batches[0]?.job.records ?? [];
    const [foreign] = other.batches[0]?.job.records ?? [];
    const as = (change: Partial<BatchJob['statement']>, pair = CONNECTOR) =>
      bench.judge(signed(stream, [opening as SealedRecord], { statement: change, pair }));
    expect(as({ gen: 7 })).toEqual(refusal('archive/bad-open'));
    expect(as({}, SECOND_CONNECTOR)).toEqual(refusal('archive/bad-open'));
    expect(bench.judge(signed(stream, [foreign as SealedRecord]))).toEqual(refusal('archive/foreign-record'));
    const acct = hexOf('acct', 32);
    const adrift = record(
      stream,
      { t: 'open', acct, app: 'signal', role: 'account', gen: 1, key: CONNECTOR.key.id },
      0,
      hexOf('x'),
    );
    expect(bench.judge(signed(stream, [adrift]))).toEqual(refusal('archive/broken-chain'));
  });

  it.each([0, 1, 5])('a generation that an account has had, %d', (gen) => {
    const bench = new Bench();
    const first = bench.kit.first.open(hexOf('acct', 32), 5);
    bench.take(first.batches[0] as SentBatch);
    const second = bench.kit.first.open(first.acct, gen);
    expect(bench.judge(second.batches[0] as SentBatch)).toEqual(refusal('archive/old-generation'));
  });

  it('a generation that would use up the numbers, and takes one above the last', () => {
    const bench = new Bench();
    const most = Math.floor(bench.kit.first.parts.clock() / 1000) + 86_400;
    const far = bench.kit.first.open(hexOf('acct', 32), most + 1);
    expect(bench.judge(far.batches[0] as SentBatch)).toEqual(refusal('archive/far-generation'));
    const first = bench.kit.first.open(far.acct, most);
    expect(bench.take(first.batches[0] as SentBatch).outcome).toBe('take');
    const second = bench.kit.first.open(far.acct, most + 2);
    expect(bench.judge(second.batches[0] as SentBatch)).toEqual(refusal('archive/far-generation'));
    const third = bench.kit.first.open(far.acct, most + 1);
    expect(bench.take(third.batches[0] as SentBatch).outcome).toBe('take');
  });

  it('what the signer’s role may not sign', () => {
    const { signers } = openManifest(MANIFEST, ROOT.key, ORIGIN);
    const pub = CONNECTOR.key.raw.toString('base64');
    const reads = signers.map((signer) => (signer.pub === pub ? { ...signer, role: 'reader' as const } : signer));
    const access = { t: 'access', ret: 'c', epoch: hexOf('e'), i: 0, body: { h: hexOf('b'), n: 1 }, com: hexOf('com') };
    const bench = new Bench();
    const stream = bench.opened();
    const look = record(stream, { ...access, tag: hexOf('tag', 32) });
    const asConnector = signed(stream, [look]);
    expect(bench.judge(asConnector, { records: [{ ...look, body: Buffer.alloc(1) }] })).toEqual(
      refusal('archive/other-role'),
    );
    const readers = new Bench(nextManifest(MANIFEST, { signers: reads }));
    const theirs = readers.opened();
    expect(readers.take(readers.kit.first.add(theirs, [{ t: 'beat' }])).outcome).toBe('take');
    expect(readers.judge(readers.kit.first.messages(theirs, 1))).toEqual(refusal('archive/other-role'));
  });

  it('another connector’s key, and another generation, in a stream', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const beat = record(stream, BEAT);
    expect(bench.judge(signed(stream, [beat], { pair: SECOND_CONNECTOR }))).toEqual(refusal('archive/other-key'));
    expect(bench.judge(signed(stream, [beat], { statement: { gen: 2 } }))).toEqual(refusal('archive/other-key'));
  });

  it('records behind a close, within a batch and after it', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const within = bench.kit.first.add(stream, [{ t: 'close' }, { t: 'beat' }]);
    expect(bench.judge(within)).toEqual(refusal('archive/closed-stream'));
    const other = bench.opened();
    bench.take(bench.kit.first.add(other, [{ t: 'close' }]));
    expect(bench.judge(bench.kit.first.add(other, [{ t: 'beat' }]))).toEqual(refusal('archive/closed-stream'));
  });

  it('records behind a hole: what is lost can be put in the place of what was signed', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const within = bench.kit.first.add(stream, [{ t: 'hole', count: 1 }, { t: 'beat' }]);
    expect(bench.judge(within)).toEqual(refusal('archive/hole-inside'));
    const other = bench.opened();
    const lines = [record(other, BEAT)];
    lines.push(record(other, BEAT, 2, idOf(lines[0])));
    const honest = signed(other, lines);
    // Whoever carries the batch needs no key for this: count, last id and chain are as they were signed.
    const hole = record(other, { t: 'hole', count: 1, last: idOf(lines[0]) });
    expect(bench.judge(honest, { records: [hole, lines[1] as SealedRecord] })).toEqual(refusal('archive/hole-inside'));
    expect(bench.judge(honest).outcome).toBe('take');
  });

  it('a signed history that is another than ours', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const [ours, theirs] = [record(stream, { t: 'close', reason: 'moved' }), record(stream, BEAT)];
    bench.take(signed(stream, [ours]));
    expect(bench.judge(signed(stream, [theirs]))).toEqual(refusal('archive/fork'));
    expect(bench.judge(signed(stream, [theirs, record(stream, BEAT, 2, idOf(theirs))]))).toEqual(
      refusal('archive/fork'),
    );
    const open = bench.opened();
    expect(bench.judge(signed(open, [record(open, BEAT, 1, hexOf('another head'))]))).toEqual(refusal('archive/fork'));
  });

  it('a chain that does not hold within the batch', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const first = record(stream, BEAT);
    const cases = [
      [first, record(stream, BEAT, 3, idOf(first))],
      [first, record(stream, BEAT, 2, hexOf('x'))],
      [record(stream, { t: 'hole', count: 3, last: hexOf('last') }), record(stream, BEAT, 2, hexOf('last'))],
    ];
    for (const records of cases) expect(bench.judge(signed(stream, records))).toEqual(refusal('archive/broken-chain'));
    expect(bench.judge(signed(stream, [first], { statement: { last: hexOf('x') } }))).toEqual(
      refusal('archive/broken-chain'),
    );
    expect(bench.judge(signed(stream, [first], { statement: { first: 2 } }))).toEqual(refusal('archive/broken-chain'));
  });

  it('records that are no records of a stream', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const line = encodeEntry({
      v: 1,
      t: 'heads',
      at: AT,
      log: ORIGIN,
      file: { h: hexOf('f'), n: 1 },
      root: hexOf('r'),
      streams: 0,
    });
    const forged = { ...signed(stream, [record(stream, BEAT)]) };
    expect(bench.judge(forged, { records: [{ line, body: null }] })).toEqual(refusal('archive/foreign-record'));
  });

  it('a body that is not the one in the header', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const batch = bench.kit.first.messages(stream, 2);
    const records = batch.job.records.map(({ line, body }, index) => ({
      line,
      body: index === 1 ? Buffer.alloc(body?.length ?? 0) : body,
    }));
    expect(bench.judge(batch, { records })).toEqual(refusal('archive/other-body'));
  });

  it('records whose epoch is not there, or is for others', () => {
    const bench = new Bench();
    const stream = bench.opened();
    const batch = bench.kit.first.messages(stream, 1);
    expect(bench.judge(batch, { epochs: [] })).toEqual(refusal('archive/missing-epoch'));
    expect(bench.judge(batch, { epochs: [`${bench.kit.first.epoch} `] })).toEqual(refusal('archive/missing-epoch'));
    const foreign = new BatchSender({ ...bench.kit.first.parts, recipients: [READER.recipient, STRANGER.recipient] });
    const theirs = foreign.open();
    bench.take(theirs.batches[0] as SentBatch);
    expect(bench.judge(foreign.messages(theirs, 1))).toEqual(refusal('archive/foreign-recipient'));
  });

  it('records sealed to the recipients of an earlier manifest more than a day behind its end', () => {
    const recipients = [{ ...READER.recipient, role: 'escrow' as const }, STRANGER.recipient];
    const bench = new Bench(nextManifest(MANIFEST, { recipients }));
    const stream = bench.opened();
    bench.kit.pass(Date.parse(AT) + 86_400_000 - bench.kit.first.parts.clock());
    expect(bench.take(bench.kit.first.messages(stream, 1)).outcome).toBe('take');
    bench.kit.pass(1000);
    expect(bench.judge(bench.kit.first.messages(stream, 1))).toEqual(refusal('archive/retired-recipient'));
  });
});
