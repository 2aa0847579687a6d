// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { createHmac, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SECRET_BYTES } from '../../src/seal/epoch-suite.ts';
import { Ratchet } from '../../src/seal/ratchet.ts';
import { recordKey } from '../vectors/primitives.ts';
import { EPOCH_ID, EPOCH_SECRET } from '../vectors/seal-vectors.ts';
import { CAN_READ_MEMORY, findInMemory, masked } from './memory.ts';

const fresh = (): Ratchet => new Ratchet(Buffer.from(EPOCH_SECRET), EPOCH_ID);
const keys = (ratchet: Ratchet, count: number): string[] =>
  Array.from({ length: count }, () => ratchet.next().toString('hex'));

describe('a ratchet', () => {
  it('gives the keys of the HMAC-SHA-384 chain, counted', () => {
    const ratchet = fresh();
    for (let i = 0; i < 20; i += 1) {
      expect(ratchet.index).toBe(i);
      expect(ratchet.next()).toEqual(recordKey(EPOCH_SECRET, EPOCH_ID, i));
    }
  });

  it('never gives one key twice, and none to another epoch', () => {
    const all = keys(fresh(), 2000);
    const other = keys(new Ratchet(Buffer.from(EPOCH_SECRET), Buffer.alloc(32, 1)), 2000);
    const third = keys(new Ratchet(Buffer.alloc(SECRET_BYTES, 1), EPOCH_ID), 2000);
    expect(new Set([...all, ...other, ...third]).size).toBe(6000);
    for (const key of all) expect(key).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives the same keys when some are skipped, and never goes back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 8 }), (goals) => {
        const ratchet = fresh();
        for (const goal of goals) {
          const expected = Math.max(goal, ratchet.index);
          ratchet.skipTo(goal);
          expect(ratchet.index).toBe(expected);
          expect(ratchet.next()).toEqual(recordKey(EPOCH_SECRET, EPOCH_ID, expected));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('takes the secret away from who made it', () => {
    const secret = Buffer.from(EPOCH_SECRET);
    const ratchet = new Ratchet(secret, EPOCH_ID);
    expect(secret.every((byte) => byte === 0)).toBe(true);
    secret.fill(7);
    expect(ratchet.next()).toEqual(recordKey(EPOCH_SECRET, EPOCH_ID, 0));
  });

  it('gives keys that are the caller’s: filling one changes none to come', () => {
    const ratchet = fresh();
    ratchet.next().fill(0);
    expect(ratchet.next()).toEqual(recordKey(EPOCH_SECRET, EPOCH_ID, 1));
  });

  it('shows nothing of itself', () => {
    const ratchet = fresh();
    ratchet.next();
    expect(Reflect.ownKeys(ratchet)).toEqual([]);
    expect(JSON.stringify(ratchet)).toBe('{}');
    expect(inspect(ratchet, { showHidden: true, depth: 9, getters: false })).not.toMatch(/chain|[0-9a-f]{16}|Buffer/i);
    expect(Object.keys(structuredClone(ratchet))).toEqual([]);
  });

  it('leaves no earlier chain key and no record key in the memory of the process', () => {
    // The last chain key must be found: else the search finds nothing at all, and this test means nothing.
    const { ratchet, chain, record } = chainOf(6);
    for (let i = 0; i < 5; i += 1) ratchet.next().fill(0);
    if (!CAN_READ_MEMORY) return;
    expect(chain.map((needle) => findInMemory(needle) > 0)).toEqual([false, false, false, false, false, true]);
    expect(record.map((needle) => findInMemory(needle) > 0)).toEqual([false, false, false, false, false, false]);
    expect(ratchet.index).toBe(5);
  });
});

/** A ratchet on a random secret, and its chain and record keys, masked, without leaving one behind in the clear. */
function chainOf(length: number): { ratchet: Ratchet; chain: Buffer[]; record: Buffer[] } {
  const secret = randomBytes(SECRET_BYTES);
  const own = Buffer.from(new ArrayBuffer(SECRET_BYTES));
  own.set(secret);
  const chain: Buffer[] = [];
  const record: Buffer[] = [];
  const step = (label: number): Buffer => createHmac('sha384', own).update(Buffer.of(label)).update(EPOCH_ID).digest();
  for (let i = 0; i < length; i += 1) {
    chain.push(masked(own));
    const key = step(1);
    record.push(masked(key.subarray(0, 32)));
    key.fill(0);
    const next = step(2);
    own.set(next);
    next.fill(0);
  }
  own.fill(0);
  return { ratchet: new Ratchet(secret, EPOCH_ID), chain, record };
}
