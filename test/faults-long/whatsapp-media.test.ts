// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import { stream } from '../connectors/whatsapp/media/streaming.ts';

const MIB = 2 ** 20;

it('a file of 2 GiB is fetched and checked in constant memory', async () => {
  const startedMs = performance.now();
  const { bytes, isWhole, peakBytes } = await stream(2048 * MIB);
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `2 GiB in ${seconds.toFixed(0)} s, the making of it included; at most ${(peakBytes / MIB).toFixed(1)} MiB held`,
  );
  expect(bytes).toBe(2048 * MIB);
  expect(isWhole).toBe(true);
  expect(peakBytes).toBeLessThan(8 * MIB);
});
