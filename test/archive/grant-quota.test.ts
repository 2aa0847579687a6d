// SPDX-License-Identifier: AGPL-3.0-or-later
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import { GrantQuota, type GrantLimits } from '../../src/archive/grant-quota.ts';

const LIMITS: GrantLimits = {
  maxObjectBytes: 100,
  maxOutstandingBytes: 150,
  maxConnectorBytes: 250,
  maxConnectorObjects: 4,
  lapseMs: 1000,
};

const one = (sha256: string, size: number) => [{ sha256, size }];

function outcome(act: () => void): string {
  try {
    act();
    return 'granted';
  } catch (error) {
    return codeOf(error);
  }
}

const LIMIT = 'archive/grant-limit';

describe('a quota', () => {
  it('bounds one object, a stream, and all streams of a connector', () => {
    const quota = new GrantQuota(LIMITS);
    expect(outcome(() => quota.reserve('c', 's', one('x', 101), 0))).toBe(LIMIT);
    quota.reserve('c', 's', one('x', 100), 0);
    expect(outcome(() => quota.reserve('c', 's', one('y', 51), 0))).toBe(LIMIT);
    quota.reserve('c', 't', one('y', 100), 0);
    expect(outcome(() => quota.reserve('c', 'u', one('z', 51), 0))).toBe(LIMIT);
    quota.reserve('c', 'u', one('z', 50), 0);
    quota.reserve('other', 's', one('x', 100), 0);
  });

  it('bounds how many objects a connector names', () => {
    const quota = new GrantQuota(LIMITS);
    for (const name of ['a', 'b', 'c', 'd']) quota.reserve('c', name, one(name, 0), 0);
    expect(outcome(() => quota.reserve('c', 'e', one('e', 0), 0))).toBe(LIMIT);
    quota.reserve('c', 'a', one('a', 0), 0);
  });

  it('counts an object that is asked for again once, at its largest', () => {
    const quota = new GrantQuota(LIMITS);
    quota.reserve('c', 's', one('x', 100), 0);
    quota.reserve('c', 's', one('x', 100), 0);
    quota.reserve('c', 's', one('x', 1), 0);
    expect(outcome(() => quota.reserve('c', 's', one('y', 51), 0))).toBe(LIMIT);
    quota.reserve('c', 's', one('y', 50), 0);
  });

  it('reserves all or nothing', () => {
    const quota = new GrantQuota(LIMITS);
    const three = [...one('x', 100), ...one('y', 50), ...one('z', 1)];
    expect(outcome(() => quota.reserve('c', 's', three, 0))).toBe(LIMIT);
    quota.reserve('c', 's', three.slice(0, 2), 0);
  });

  it('gives back what was logged', () => {
    const quota = new GrantQuota(LIMITS);
    quota.reserve('c', 's', one('x', 100), 0);
    quota.logged('c', 's', 'x');
    quota.logged('c', 's', 'x');
    quota.logged('c', 's', 'unknown');
    quota.reserve('c', 's', one('y', 100), 0);
    expect(outcome(() => quota.reserve('c', 's', one('z', 51), 0))).toBe(LIMIT);
  });

  it('gives back what was never logged after a while, counted from the last grant', () => {
    const quota = new GrantQuota(LIMITS);
    quota.reserve('c', 's', one('x', 100), 0);
    quota.reserve('c', 's', one('y', 50), 100);
    quota.reserve('c', 's', one('x', 100), 900);
    expect(outcome(() => quota.reserve('c', 's', one('z', 50), 1000))).toBe(LIMIT);
    quota.reserve('c', 's', one('z', 50), 1100);
    expect(outcome(() => quota.reserve('c', 's', one('w', 1), 1899))).toBe(LIMIT);
    quota.reserve('c', 's', one('w', 100), 1900);
  });

  it('never grants more than its bounds, whatever happens', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const act = fc.record({
      do: fc.constantFrom('reserve', 'reserve', 'logged', 'wait'),
      connector: fc.constantFrom('c', 'd'),
      stream: fc.constantFrom('s', 't', 'u'),
      sha256: name,
      size: fc.nat({ max: 120 }),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const quota = new GrantQuota(LIMITS);
        let nowMs = 0;
        const held = new Map<string, { size: number; atMs: number; connector: string; place: string }>();
        for (const { do: what, connector, stream, sha256, size } of acts) {
          const key = `${connector} ${stream} ${sha256}`;
          if (what === 'wait') nowMs += size * 10;
          if (what === 'logged') quota.logged(connector, stream, sha256);
          if (what === 'logged') held.delete(key);
          for (const [held_, { atMs }] of held) if (nowMs - atMs >= LIMITS.lapseMs) held.delete(held_);
          if (what !== 'reserve') continue;
          const next = new Map(held);
          next.set(key, {
            size: Math.max(size, held.get(key)?.size ?? 0),
            atMs: nowMs,
            connector,
            place: `${connector} ${stream}`,
          });
          const sum = (of: (one: { connector: string; place: string }) => boolean): number =>
            [...next.values()].filter(of).reduce((total, { size: bytes }) => total + bytes, 0);
          const fits =
            (next.get(key)?.size ?? 0) <= LIMITS.maxObjectBytes &&
            sum(({ place }) => place === `${connector} ${stream}`) <= LIMITS.maxOutstandingBytes &&
            sum((one_) => one_.connector === connector) <= LIMITS.maxConnectorBytes &&
            [...next.values()].filter((one_) => one_.connector === connector).length <= LIMITS.maxConnectorObjects;
          expect(outcome(() => quota.reserve(connector, stream, one(sha256, size), nowMs))).toBe(
            fits ? 'granted' : LIMIT,
          );
          if (fits) held.clear();
          if (fits) for (const [held_, value] of next) held.set(held_, value);
        }
      }),
      { numRuns: 500 },
    );
  });
});
