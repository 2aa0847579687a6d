// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { ServerClock } from '../../../src/archive/s3-clock.ts';

const DATE = 'Sun, 22 Nov 2026 15:02:03 GMT';
const SERVER_MS = Date.parse(DATE);

function clockAt(localMs: number) {
  const at = { localMs, steadyMs: 1_000 };
  const clock = new ServerClock(
    () => at.localMs,
    () => at.steadyMs,
  );
  return { at, clock };
}

describe('the server’s clock', () => {
  it('goes on from the last Date header by the steady clock', () => {
    const { at, clock } = clockAt(5_000);
    clock.observe(DATE);
    at.steadyMs += 1_500.7;
    at.localMs += 1_500;
    expect(clock.timeMs()).toBe(SERVER_MS + 1_500);
  });

  it('is unknown before the first answer and after headers that are no date', () => {
    const { clock } = clockAt(5_000);
    for (const header of [undefined, '', 'yesterday']) clock.observe(header);
    expect(clock.timeMs()).toBeNull();
    expect(clock.skewMs()).toBeNull();
  });

  it.each([
    ['by the steady clock', 60_001, 1_000],
    ['by ours, since the machine slept', 10, 3_600_000],
    ['because ours was set back', 1_000, -5],
  ])('is stale %s', (_, steady, local) => {
    const { at, clock } = clockAt(5_000);
    clock.observe(DATE);
    at.steadyMs += steady;
    at.localMs += local;
    expect(clock.timeMs()).toBeNull();
  });

  it('tells how far ours is ahead, allowing for the fraction that the header lacks', () => {
    const { clock } = clockAt(SERVER_MS + 7_500);
    clock.observe(DATE);
    expect(clock.skewMs()).toBe(7_000);
  });
});
