// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { Schedules } from '../../src/archive/schedule.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { headsKey, timeStampKey, witnessKey } from '../../src/record/layout.ts';
import { ArchiverKit, ORIGIN, OTHER_CLASS, SCHEDULES } from '../support/archiver-kit.ts';
import { checkLog } from '../support/check-log.ts';
import { assertKept, DAY_MS, lengthened, run, runUntil, untilOf, years } from './retention-kit.ts';

/** What others say of the newest size, stored and locked as the archiver does it. Nobody here looks into it. */
async function vouch(kit: ArchiverKit): Promise<void> {
  const size = checkLog(kit.bucket).segments.at(-1)?.tail.size ?? 0;
  const store = kit.store();
  const lock = new Schedules(SCHEDULES).lockForEvidence(await store.serverTimeMs());
  for (const key of [timeStampKey, witnessKey].map((name) => name(ORIGIN, size, sha256Hex(String(size))))) {
    await store.create(key, Buffer.from(String(size)), lock);
  }
}

/** How many days too early evidence of the first `end` leaves ends, were it to outlive all that was written before it. */
function lackingDays(kit: ArchiverKit, end: number, period: number): Record<string, number> {
  const lacking: Record<string, number> = { heads: 0, tsa: 0, witness: 0 };
  for (const { head, tail } of checkLog(kit.bucket).segments.filter(({ tail: { size } }) => size <= end)) {
    const names = [
      headsKey(ORIGIN, head.first),
      ...['tsa', 'witness'].map((name) => `log/${ORIGIN}/${name}/${String(tail.size).padStart(16, '0')}-`),
    ];
    for (const key of names.flatMap((name) => kit.bucket.keys(name))) {
      const missingMs = Date.parse(years(tail.at, period)) - Date.parse(untilOf(kit, key));
      const folder = key.split('/').at(-2) ?? '';
      lacking[folder] = Math.max(lacking[folder] ?? 0, missingMs / DAY_MS);
    }
  }
  return lacking;
}

describe('a lengthened schedule of the class that is kept longest', () => {
  const longest = SCHEDULES.map((one) => (one.class === OTHER_CLASS ? { ...one, period: 'P18Y' } : one));
  const none = { heads: 0, tsa: 0, witness: 0 };

  it('reaches what vouches for the log, also where nothing of its class was written', async () => {
    const kit = await lengthened(longest, 12, vouch);
    const end = checkLog(kit.bucket).segments.at(-3)?.tail.size ?? 0;
    for (const days of Object.values(lackingDays(kit, end, 18))) expect(days).toBeGreaterThan(1000);
    const { outcome } = await run(kit);
    expect([outcome, lackingDays(kit, end, 18)]).toEqual(['done', none]);
    assertKept(kit, { [OTHER_CLASS]: 18 });
    expect((await run(kit)).store.count('extend')).toBe(0);
  });

  it('reaches all of it when it is cut short at whatever call', async () => {
    const whole = await run(await lengthened(longest, 8, vouch));
    for (let index = 0; index < whole.store.calls.length; index += 17) {
      const kit = await lengthened(longest, 8, vouch);
      const end = checkLog(kit.bucket).segments.at(-3)?.tail.size ?? 0;
      await runUntil(kit, index);
      await run(kit);
      expect([index, lackingDays(kit, end, 18)]).toEqual([index, none]);
    }
  });
});
