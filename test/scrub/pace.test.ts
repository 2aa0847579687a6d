// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pace, PacedReader } from '../../src/scrub/pace.ts';
import { smallArchive } from '../verify/subject.ts';

/** A clock that only sleeping moves. */
function stillClock(): { now: () => number; sleep: (ms: number) => Promise<void>; atMs: number } {
  const clock = {
    atMs: 0,
    now: () => clock.atMs,
    sleep: async (ms: number) => {
      clock.atMs += ms;
    },
  };
  return clock;
}

describe('the pace of a scrub', () => {
  it('lets no more through in any time than its rate, but for one step', async () => {
    const steps = fc.array(fc.oneof(fc.constant('request' as const), fc.integer({ min: 1, max: 5000 })), {
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 100, max: 100_000 }),
        async (all, requestsPerSecond, bytesPerSecond) => {
          const clock = stillClock();
          const pace = new Pace({ requestsPerSecond, bytesPerSecond }, clock);
          for (const step of all) {
            const allowedMs = 1000 * (pace.requests / requestsPerSecond + pace.bytes / bytesPerSecond);
            await (step === 'request' ? pace.request() : pace.took(step));
            expect(clock.atMs).toBeGreaterThanOrEqual(allowedMs - 5.001);
            expect(clock.atMs).toBeLessThanOrEqual(allowedMs + 0.001);
          }
        },
      ),
    );
  });

  it('counts every request and byte of a reader, by whichever of its ways', async () => {
    const archive = await smallArchive();
    const pace = new Pace({ requestsPerSecond: 1e9, bytesPerSecond: 1e12 }, stillClock());
    const reader = new PacedReader(archive, pace);
    const key = archive.key('/pack/', 0);
    let listed = 0;
    for await (const _ of reader.listVersions('')) listed += 1;
    for await (const _ of reader.listVersions('nothing')) listed += 1;
    expect([pace.requests, listed]).toEqual([2, archive.keys().length]);
    await reader.state(key, '');
    let bytes = 0;
    for await (const piece of await reader.readStream(key, '')) bytes += piece.length;
    expect([pace.requests, pace.bytes]).toEqual([4, archive.get(key).length]);
    expect(bytes).toBe(archive.get(key).length);
  });
});
