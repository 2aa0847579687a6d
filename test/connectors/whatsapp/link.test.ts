// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { account, Capturing } from './harness.ts';

test('linking that is given up while the spool hangs ends at once', async () => {
  const capturing = await Capturing.start({ unlinked: true });
  const { session, sink } = capturing;
  const hung = Promise.withResolvers<void>();
  let isAsked = false;
  sink.obstacle = async (_captures, changes) => {
    if (!changes.some(({ name }) => name === 'lease')) return;
    isAsked = true;
    await hung.promise;
  };
  const stop = new AbortController();
  const steps = Array.fromAsync(session.link(account, stop.signal));
  await eventually(() => isAsked).toBe(true);
  stop.abort();
  hung.resolve();
  expect(await steps).toEqual([]);
});
