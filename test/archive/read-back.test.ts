// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import { ReadBack } from '../../src/archive/read-back.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { packKey } from '../../src/record/layout.ts';
import { ArchiverKit, CLASS, ORIGIN, OTHER_CLASS } from '../support/archiver-kit.ts';
import { StrictBucket } from '../support/strict-bucket.ts';
import { StrictStore, type StrictOptions } from '../support/strict-store.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LOCK = { mode: 'COMPLIANCE', until: '2040-01-01T00:00:00Z' } as const;

class Bench {
  readonly bucket = new StrictBucket();
  readonly store: StrictStore;
  readonly readBack: ReadBack;
  readonly #closing = new AbortController();

  constructor(options: StrictOptions = {}, done = 10) {
    this.store = new StrictStore(this.bucket, options);
    this.readBack = new ReadBack(this.store, ORIGIN, HOUR_MS, done);
  }

  pack(word: string): string {
    const bytes = Buffer.from(word);
    this.bucket.add(packKey(ORIGIN, sha256Hex(bytes)), bytes, LOCK);
    return sha256Hex(bytes);
  }

  run(nowMs: number): Promise<boolean> {
    return this.readBack.run(nowMs, this.#closing.signal);
  }

  close(): void {
    this.#closing.abort();
  }
}

describe('a read-back', () => {
  it('waits, and then moves on segment by segment', async () => {
    const bench = new Bench();
    bench.readBack.add({ first: 10, size: 20, hashes: [bench.pack('a')], atMs: 0 });
    bench.readBack.add({ first: 20, size: 30, hashes: [bench.pack('b')], atMs: HOUR_MS });
    expect([await bench.run(HOUR_MS - 1), bench.readBack.leaves]).toEqual([false, 10]);
    expect([await bench.run(HOUR_MS), bench.readBack.leaves]).toEqual([true, 20]);
    expect([await bench.run(2 * HOUR_MS), bench.readBack.leaves]).toEqual([true, 30]);
  });

  it('does not pass a segment before the last of its packs', async () => {
    let reads = 0;
    const bench = new Bench({ fault: ({ call }) => (call === 'readStream' && ++reads === 2 ? 'lost' : undefined) });
    bench.readBack.add({ first: 10, size: 20, hashes: [bench.pack('a'), bench.pack('b'), bench.pack('c')], atMs: 0 });
    await expect(bench.run(HOUR_MS)).rejects.toMatchObject({ kind: 'retry' });
    expect(bench.readBack.leaves).toBe(10);
    expect([await bench.run(HOUR_MS), bench.readBack.leaves]).toEqual([true, 20]);
  });

  it('passes segments without packs once it gets there', async () => {
    const bench = new Bench();
    bench.readBack.add({ first: 10, size: 12, hashes: [], atMs: 0 });
    expect(bench.readBack.leaves).toBe(12);
    bench.readBack.add({ first: 12, size: 20, hashes: [bench.pack('a')], atMs: 0 });
    bench.readBack.add({ first: 20, size: 25, hashes: [], atMs: 0 });
    expect(bench.readBack.leaves).toBe(12);
    await bench.run(HOUR_MS);
    expect(bench.readBack.leaves).toBe(25);
  });

  it.each([
    [
      'has other bytes',
      (bench: Bench, key: string) => bench.bucket.damage(key, (bytes) => Buffer.concat([bytes, Buffer.of(0)])),
    ],
    ['is gone', (bench: Bench, key: string) => bench.bucket.lose(key)],
  ])('is fatal when a pack %s', async (_what, change) => {
    const bench = new Bench();
    const hash = bench.pack('a');
    bench.readBack.add({ first: 10, size: 20, hashes: [hash], atMs: 0 });
    change(bench, packKey(ORIGIN, hash));
    await expect(bench.run(HOUR_MS)).rejects.toMatchObject({ code: 'store/readback', kind: 'fatal' });
    expect(bench.readBack.leaves).toBe(10);
  });

  it('ends between two packs when the archiver closes', async () => {
    const bench = new Bench();
    bench.readBack.add({ first: 10, size: 20, hashes: [bench.pack('a')], atMs: 0 });
    bench.close();
    expect([await bench.run(HOUR_MS), bench.store.calls.length]).toEqual([false, 0]);
  });
});

describe('an archiver reads back', () => {
  it('what was written before it started, and claims no more than that', async () => {
    const kit = new ArchiverKit();
    const first = await kit.start();
    const stream = kit.first.open();
    kit.first.add(stream, [
      { t: 'content', ret: CLASS },
      { t: 'content', ret: OTHER_CLASS },
    ]);
    await kit.first.sendAll();
    await first.archiver.flush();
    const { size } = first.archiver.state;
    await first.archiver[Symbol.asyncDispose]();
    kit.pass(HOUR_MS - 2000);
    const later = await kit.start();
    kit.first.restart();
    kit.first.messages(stream, 1);
    await kit.first.sendAll();
    await later.archiver.flush();
    expect(kit.first.readBack).toBeLessThan(size - 3);
    // The hour counts from the writing, not from the start.
    kit.pass(3000);
    await later.archiver.readBack();
    expect(later.told.readBackLeaves).toBeGreaterThanOrEqual(size);
    expect(later.told.readBackLeaves).toBeLessThan(later.archiver.state.size);
    await later.archiver[Symbol.asyncDispose]();
  });

  it('and ends when a pack is not what it was', async () => {
    const kit = new ArchiverKit();
    const { archiver, fatals, told } = await kit.start();
    kit.first.messages(kit.first.open(), 1);
    await kit.first.sendAll();
    await archiver.flush();
    kit.bucket.damage(kit.bucket.keys('log/agency.example/test/pack/')[0] as string, () => Buffer.from('x'));
    kit.pass(HOUR_MS);
    await archiver.readBack();
    await archiver.readBack();
    expect([fatals.map(codeOf), told.readBackLeaves]).toEqual([['store/readback'], 0]);
    await archiver[Symbol.asyncDispose]();
  });

  it('and says so when it cannot for the moment', async () => {
    const kit = new ArchiverKit();
    let isAway = true;
    const store = kit.store({ fault: ({ call }) => (call === 'readStream' && isAway ? 'lost' : undefined) });
    const { archiver, fatals, told } = await kit.start({}, store);
    kit.first.messages(kit.first.open(), 1);
    await kit.first.sendAll();
    await archiver.flush();
    kit.pass(HOUR_MS);
    await archiver.readBack();
    expect([told.troubles, fatals]).toEqual([['read-back store/unreachable'], []]);
    isAway = false;
    await archiver.readBack();
    expect(told.readBackLeaves).toBe(archiver.state.size);
    await archiver[Symbol.asyncDispose]();
  });

  it('and writes heads although the packs beside the last ones are not due', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start({ readBackAfterMs: 36 * HOUR_MS });
    const stream = kit.first.open();
    for (let day = 0; day < 4; day += 1) {
      kit.first.messages(stream, 1);
      await kit.first.sendAll();
      await archiver.flush();
      kit.pass(DAY_MS);
      await archiver.readBack();
    }
    expect(kit.bucket.keys('log/agency.example/test/heads/').length).toBe(3);
    await archiver[Symbol.asyncDispose]();
  });

  it('everything before the heads that a later start begins at', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    const stream = kit.first.open();
    for (let day = 0; day < 5; day += 1) {
      kit.first.messages(stream, 1);
      await kit.first.sendAll();
      await archiver.flush();
      kit.pass(DAY_MS);
    }
    // Nothing was read back, so there is one heads only, and a start begins before it.
    expect(kit.bucket.keys('log/agency.example/test/heads/').length).toBe(1);
    await archiver.readBack();
    kit.first.messages(stream, 1);
    await kit.first.sendAll();
    await archiver.flush();
    expect(kit.bucket.keys('log/agency.example/test/heads/').length).toBe(2);
    await archiver[Symbol.asyncDispose]();
  });
});
