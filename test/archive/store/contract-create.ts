// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import type { ArchiveStore } from '../../../src/archive/store.ts';
import { expectFailure, freshKey, lockFor, listed, textOf, type Subject } from './subject.ts';

const RACERS = 16;
const PROCESSES = 4;

export function createRows({ store, open }: Subject): void {
  it('lets one of 16 racing writers with different bytes win, and all of them agree who', async () => {
    const key = freshKey();
    const results = await race(store, open, key, (index) => Buffer.from(`writer ${index}`));
    const winners = results.flatMap(({ won }, index) => (won ? [index] : []));
    expect(winners).toHaveLength(1);
    expect(new Set(results.map(({ version }) => version)).size).toBe(1);
    expect(textOf(await store.read(key))).toBe(`writer ${winners[0]}`);
    expect((await store.read(key))?.version).toBe(results[0]?.version);
  });

  it('lets all of 16 racing writers with the same bytes succeed on one version', async () => {
    const key = freshKey();
    const results = await race(store, open, key, () => Buffer.from('the same'));
    expect(results.every(({ won }) => won)).toBe(true);
    expect(new Set(results.map(({ version }) => version)).size).toBe(1);
  });

  it('succeeds again with the same bytes, in this process and in the next', async () => {
    const key = freshKey();
    const lock = await lockFor(store);
    const first = await store.create(key, Buffer.from('once'), lock);
    expect(first.won).toBe(true);
    expect(await store.create(key, Buffer.from('once'), lock)).toEqual(first);
    await using next = await open();
    expect(await next.create(key, Buffer.from('once'), lock)).toEqual(first);
  });

  it('tells a late writer that it lost, and changes nothing of the winner', async () => {
    const key = freshKey();
    const { version } = await store.create(key, Buffer.from('first'), await lockFor(store));
    const before = await store.state(key, version);
    expect(await store.create(key, Buffer.from('later'), await lockFor(store, 2))).toEqual({ won: false, version });
    expect(await store.create(key, Buffer.from('other'), await lockFor(store, 2))).toEqual({ won: false, version });
    expect(textOf(await store.read(key))).toBe('first');
    expect(await store.state(key, '')).toEqual(before);
  });

  it('keeps any bytes, none and many', async () => {
    const lock = await lockFor(store);
    const many = Buffer.alloc(5_000_000, 'all bytes: \u0000\u00ff\r\n');
    for (const bytes of [Buffer.alloc(0), Buffer.of(0), many]) {
      const key = freshKey();
      expect((await store.create(key, bytes, lock)).won).toBe(true);
      expect((await store.create(key, bytes, lock)).won).toBe(true);
      expect(Buffer.compare((await store.read(key))?.bytes ?? Buffer.of(1), bytes)).toBe(0);
    }
  });

  it.each([
    '',
    '/a',
    'a/',
    'a//b',
    '../a',
    'a/../b',
    'a/./b',
    '.tmp/a',
    'a/.hidden',
    'A',
    'a b',
    'ä',
    'a\0b',
    'a\\b',
    'a?b',
    'a%2e',
    'x'.repeat(901),
  ])('refuses the key %j', async (key) => {
    await expectFailure(store.create(key, Buffer.of(1), await lockFor(store)), 'store/bad-key');
    await expectFailure(store.read(key), 'store/bad-key');
    await expectFailure(store.state(key, ''), 'store/bad-key');
  });

  it.each(['log/o/checkpoint', 'log/o/tile/0/000', 'log/o/tile/0/x001/067.p/5', 'log/o/tile/entries/000'])(
    'writes %s as a derived object only, and replaces it',
    async (key) => {
      await expectFailure(store.create(key, Buffer.of(1), await lockFor(store)), 'store/bad-key');
      await store.putDerived(key, Buffer.from('one'));
      await store.putDerived(key, Buffer.from('two'));
      expect(textOf(await store.read(key))).toBe('two');
      expect((await store.state(key, ''))?.size).toBe(3);
    },
  );

  it.each([
    'media/aa/bb',
    'log/o/pack/aa',
    'log/o/segment/00',
    'log/o/heads/00',
    'log/o/tsa/00',
    'log/o/witness/00',
    'log/o/new/00',
    'log/o/segment/checkpoint',
    'media/tile/0',
  ])('never writes %s without a lock', async (key) => {
    await expectFailure(store.putDerived(key, Buffer.of(1)), 'store/bad-key');
    expect(await listed(store, key)).toEqual([]);
  });

  it.each([
    'tomorrow',
    '2033-11-22',
    '2033-11-22T15:02:03.000Z',
    '2033-11-22T15:02:03+00:00',
    '2033-02-30T00:00:00Z',
    '',
  ])('refuses the retention date %j', async (until) => {
    await expectFailure(store.create(freshKey(), Buffer.of(1), { mode: 'COMPLIANCE', until }), 'store/bad-lock');
  });

  it('tells the time of the store in whole milliseconds, forward', async () => {
    const first = await store.serverTimeMs();
    const second = await store.serverTimeMs();
    expect(Number.isInteger(first)).toBe(true);
    expect(second).toBeGreaterThanOrEqual(first - 1_500);
    expect(Math.abs(first - Date.now())).toBeLessThan(30_000);
  });
}

async function race(store: ArchiveStore, open: Subject['open'], key: string, bytes: (index: number) => Uint8Array) {
  const lock = await lockFor(store);
  const stores = await Promise.all(Array.from({ length: PROCESSES }, () => open()));
  try {
    const writers = Array.from({ length: RACERS }, (_, index) => stores[index % PROCESSES] ?? store);
    return await Promise.all(writers.map((writer, index) => writer.create(key, bytes(index), lock)));
  } finally {
    await Promise.all(stores.map((one) => one[Symbol.asyncDispose]()));
  }
}
