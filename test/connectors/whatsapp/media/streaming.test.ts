// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import { stream } from './streaming.ts';

const MIB = 2 ** 20;

it('a file of 64 MiB is fetched and checked in constant memory', async () => {
  const { bytes, isWhole, peakBytes } = await stream(64 * MIB);
  expect(bytes).toBe(64 * MIB);
  expect(isWhole).toBe(true);
  expect(peakBytes).toBeLessThan(8 * MIB);
});
