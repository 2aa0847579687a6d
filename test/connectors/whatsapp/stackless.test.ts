// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { withoutStacks } from '../../../src/connectors/whatsapp/stackless.ts';

test('collects no stacks while it works, and as many as before once all of it has ended, however it ends', async () => {
  const before = Error.stackTraceLimit;
  const held = Promise.withResolvers<void>();
  const first = withoutStacks(() => held.promise);
  const failing = withoutStacks(() => Promise.reject(new TypeError('no')));
  await expect(failing).rejects.toThrow('no');
  expect(Error.stackTraceLimit).toBe(0);
  held.resolve();
  await first;
  expect([Error.stackTraceLimit, before > 0]).toEqual([before, true]);
});

test('gives what the work gives', async () => {
  const digest = (): Promise<string> =>
    Promise.resolve(createHmac('sha256', Buffer.alloc(32, 1)).update('x').digest('hex'));
  expect(await withoutStacks(digest)).toBe(await digest());
});
