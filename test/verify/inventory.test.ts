// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Inventory } from '../../src/verify/inventory.ts';
import type { StoredVersion } from '../../src/verify/reader.ts';

const version = (size: number, name = ''): StoredVersion => ({ key: 'k', version: name, size, deleteMarker: false });
const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

describe('an inventory', () => {
  test('finds what was listed, by its whole name or its first 64 bits, and nothing else', () => {
    const names = fc.uniqueArray(hex, { maxLength: 3000, selector: (name) => name.slice(0, 16) });
    fc.assert(
      fc.property(names, hex, (listed, other) => {
        const inventory = new Inventory('hashes');
        for (const [index, name] of listed.toSorted().entries()) inventory.add(name, [version(index)]);
        expect(inventory.count).toBe(listed.length);
        for (const [index, name] of listed.toSorted().entries()) {
          expect(inventory.find(name)).toEqual({ size: index, version: '' });
        }
        if (!listed.some((name) => name.slice(0, 16) === other.slice(0, 16))) expect(inventory.peek(other)).toBeNull();
      }),
      { numRuns: 20 },
    );
  });

  test('keeps apart names that begin alike', () => {
    const inventory = new Inventory('hashes');
    const names = ['0', '1', '2'].map((digit) => `${'ab'.repeat(8)}${digit.repeat(48)}`);
    for (const [index, name] of names.entries()) inventory.add(name, [version(index)]);
    expect(names.map((name) => inventory.find(name)?.size)).toEqual([0, 1, 2]);
    expect(inventory.unasked()).toBe(0);
  });

  test('takes the first version of several, and remembers its name', () => {
    const inventory = new Inventory('leaves');
    inventory.add('0000000000000007', [version(3, 'new'), version(2, 'middle'), version(1, 'old')]);
    expect(inventory.find('0000000000000007')).toEqual({ size: 1, version: 'old' });
    expect(inventory.bytes).toBe(1);
  });

  test('gives leaf numbers in order, above 2^32 too', () => {
    const inventory = new Inventory('leaves');
    const leaves = [0, 3, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER];
    for (const leaf of leaves) {
      const versions = leaf === 2 ** 32 ? [version(1), version(1)] : [version(1)];
      inventory.add(String(leaf).padStart(16, '0'), versions);
    }
    expect([...inventory.leaves()]).toEqual(leaves);
  });

  test('tells what nobody asked for', () => {
    const inventory = new Inventory('leaves');
    for (const leaf of [1, 2, 3]) inventory.add(String(leaf).padStart(16, '0'), [version(leaf)]);
    inventory.peek('0000000000000001');
    inventory.find('0000000000000002');
    expect(inventory.unasked()).toBe(2);
    expect(inventory.wasAskedFor('0000000000000002')).toBe(true);
    expect(inventory.wasAskedFor('0000000000000001')).toBe(false);
  });
});
