// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import type { Schedule } from '../../src/archive/schedule.ts';
import { packKey } from '../../src/record/layout.ts';
import { ArchiverKit, CLASS, ORIGIN, OTHER_CLASS, SCHEDULES } from '../support/archiver-kit.ts';
import { auditorsFindings, checkLog } from '../support/check-log.ts';
import { assertKept, DAY_MS, Lazy, lengthened, LONGER, run, runUntil, untilOf } from './retention-kit.ts';

describe('a lengthened schedule', () => {
  it('reaches all packs and objects of its class, and the segments that name them', async () => {
    const kit = await lengthened();
    const others = checkLog(kit.bucket).entries.filter((entry) => entry.t === 'pack' && entry.ret !== CLASS) as {
      h: string;
    }[];
    const before = others.map(({ h }) => untilOf(kit, packKey(ORIGIN, h)));
    expect(() => assertKept(kit, { [CLASS]: 10, [OTHER_CLASS]: 15 })).toThrow('pack/');
    const { outcome, told, store } = await run(kit);
    expect(outcome).toBe('done');
    assertKept(kit, { [CLASS]: 10, [OTHER_CLASS]: 15 });
    expect(others.map(({ h }) => untilOf(kit, packKey(ORIGIN, h)))).toEqual(before);
    expect(told.at(-1)).toMatchObject({ extended: store.count('extend'), missing: 0 });
    expect(kit.bucket.violations).toEqual([]);
    expect(await auditorsFindings(kit.bucket)).toEqual([]);
  });

  it('is not looked for twice', async () => {
    const kit = await lengthened(LONGER, 40);
    const first = await run(kit);
    const second = await run(kit);
    expect([first.store.count('extend') > 20, second.store.count('extend')]).toEqual([true, 0]);
    expect(second.store.calls.length).toBeLessThan(first.store.calls.length / 2);
    expect(second.told).toEqual([]);
  });

  it('goes on where it was cut short, at whatever call', async () => {
    const whole = await run(await lengthened(LONGER, 8));
    const extended = whole.store.count('extend');
    for (const fault of ['lost', 'persisted', 'crash'] as const) {
      for (let index = 0; index < whole.store.calls.length; index += 9) {
        const kit = await lengthened(LONGER, 8);
        const { store } = await runUntil(kit, index, fault);
        const second = await run(kit);
        assertKept(kit, { [CLASS]: 10, [OTHER_CLASS]: 15 });
        const done = store.calls.filter(({ call, index: at }) => call === 'extend' && at < index).length;
        expect(done + second.store.count('extend')).toBeLessThanOrEqual(extended);
        expect(done + second.store.count('extend')).toBeGreaterThanOrEqual(extended - 1);
      }
    }
  });

  it.each([0, 3, 9, 20, 50, 90])(
    'is done for each class by itself, when they come one after the other, cut short at %d',
    async (index) => {
      const kit = await lengthened();
      await run(kit);
      const later = LONGER.map((one) => (one.class === OTHER_CLASS ? { ...one, period: 'P18Y' } : one));
      const { archiver } = await kit.start({ schedules: later }, new Lazy(kit.bucket));
      await archiver[Symbol.asyncDispose]();
      kit.pass(DAY_MS);
      await runUntil(kit, index);
      await run(kit);
      assertKept(kit, { [CLASS]: 10, [OTHER_CLASS]: 18 });
    },
  );

  it.each([20, 40, 60, 80, 100])('is done for two classes at once, cut short at %d', async (index) => {
    const both = SCHEDULES.map((one) => ({ ...one, period: one.class === CLASS ? 'P10Y' : 'P18Y' }));
    const kit = await lengthened(both);
    await runUntil(kit, index);
    await run(kit);
    assertKept(kit, { [CLASS]: 10, [OTHER_CLASS]: 18 });
  });

  it('waits for a store that is away', async () => {
    const kit = await lengthened();
    let failures = 5;
    const { outcome } = await run(
      kit,
      kit.store({ fault: ({ call }) => (call === 'state' && failures-- > 0 ? 'lost' : undefined) }),
    );
    expect(outcome).toBe('done');
    assertKept(kit, { [CLASS]: 10 });
  });

  it('counts what is gone and goes on', async () => {
    const kit = await lengthened();
    const packs = checkLog(kit.bucket).entries.filter((entry) => entry.t === 'pack' && entry.ret === CLASS) as {
      h: string;
    }[];
    const pack = packs[3] as { h: string };
    kit.bucket.lose(packKey(ORIGIN, pack.h));
    const { told, outcome } = await run(kit);
    expect([outcome, told.at(-1)?.missing]).toEqual(['done', 1]);
    const again = await run(kit);
    expect([again.store.count('extend'), again.told]).toEqual([0, []]);
  });

  it('stops at what the store refuses', async () => {
    const kit = await lengthened();
    kit.bucket.maxRetainDays = 8 * 365;
    expect((await run(kit)).outcome).toBe('store/lock-over-cap');
  });

  it('does not ask for what would be over already', async () => {
    const kit = await lengthened();
    kit.pass(12 * 366 * DAY_MS);
    const { outcome, store } = await run(kit);
    expect([outcome, store.count('extend')]).toEqual(['done', 0]);
  });

  it('may be of a stronger mode', async () => {
    const weak = SCHEDULES.map((one) => ({ ...one, mode: 'GOVERNANCE' as const }));
    const kit = new ArchiverKit();
    const first = await kit.start({ schedules: weak });
    kit.first.messages(kit.first.open(), 1);
    await kit.first.sendAll();
    await first.archiver.flush();
    await first.archiver[Symbol.asyncDispose]();
    kit.pass(DAY_MS);
    const second = await kit.start({ schedules: SCHEDULES });
    await expect.poll(() => second.told.retentions.length).toBe(1);
    await second.archiver[Symbol.asyncDispose]();
    for (const key of [
      ...kit.bucket.keys('log/agency.example/test/pack/'),
      kit.bucket.keys('log/agency.example/test/segment/')[1] as string,
    ]) {
      expect(kit.bucket.winner(key)?.lock?.mode).toBe('COMPLIANCE');
    }
  });

  it('is the first schedule of a class that was kept provisionally', async () => {
    const scheduled: readonly Schedule[] = [
      ...SCHEDULES,
      { class: 'unheard.of', mode: 'COMPLIANCE', period: 'P3Y', max: 'P3Y', authority: 'x' },
    ];
    const kit = await lengthened(scheduled);
    await run(kit);
    assertKept(kit, { [CLASS]: 7, [OTHER_CLASS]: 15, 'unheard.of': 3 });
  });

  it('is kept by the archiver itself, in the background, and told', async () => {
    const kit = await lengthened();
    const { archiver, told } = await kit.start({ schedules: LONGER });
    await expect.poll(() => told.retentions.length).toBe(1);
    assertKept(kit, { [CLASS]: 10 });
    expect(told.retentions[0]?.extended).toBeGreaterThan(5);
    await archiver[Symbol.asyncDispose]();
  });
});

describe('nothing is looked at', () => {
  it('when no schedule has changed', async () => {
    const kit = await lengthened(SCHEDULES);
    const { store } = await run(kit);
    expect(store.calls.map(({ call }) => call)).toEqual(['read']);
  });

  it('in a store without locks', async () => {
    const kit = await lengthened();
    const { store } = await run(kit, kit.store({ locks: false }));
    expect(store.calls).toEqual([]);
  });

  it('in an empty log', async () => {
    const { outcome, told } = await run(new ArchiverKit());
    expect([outcome, told]).toEqual(['done', []]);
  });
});
