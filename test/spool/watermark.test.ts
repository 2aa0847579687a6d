// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { volumeUsage, WatermarkGate, WATERMARKS, type Level } from '../../src/spool/watermark.ts';
import { SpoolKit, temporaryDirectory } from '../support/spool-kit.ts';
import { attachment, message } from '../support/spool-parts.ts';

async function isOpen(gate: WatermarkGate): Promise<boolean> {
  return Promise.race([
    gate.ready().then(() => true),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 20)),
  ]);
}

describe('the watermarks', () => {
  it('alarm at 80 %, stop at 90 %, and tell each change once', async () => {
    let used = 0;
    const told: [Level, number][] = [];
    using gate = new WatermarkGate(
      async () => ({ used, total: 100 }),
      WATERMARKS,
      (level, share) => told.push([level, share]),
    );
    for (used of [79, 80, 85, 89, 90, 99, 89, 79]) {
      const level = await gate.check();
      expect(level).toBe(used >= 90 ? 'stop' : used >= 80 ? 'alarm' : 'normal');
      expect(await isOpen(gate)).toBe(used < 90);
    }
    expect(told).toEqual([
      ['alarm', 0.8],
      ['stop', 0.9],
      ['alarm', 0.89],
      ['normal', 0.79],
    ]);
  });

  it('hold back everybody who asks, and let all go on when there is space again', async () => {
    let used = 95;
    using gate = new WatermarkGate(
      async () => ({ used, total: 100 }),
      WATERMARKS,
      () => undefined,
    );
    await gate.check();
    let entered = 0;
    const waiting = Array.from({ length: 5 }, () => gate.ready().then(() => (entered += 1)));
    await gate.check();
    expect(entered).toBe(0);
    used = 50;
    await gate.check();
    await Promise.all(waiting);
    expect(entered).toBe(5);
  });

  it('look by themselves', async () => {
    let used = 95;
    using gate = new WatermarkGate(
      async () => ({ used, total: 100 }),
      WATERMARKS,
      () => undefined,
    );
    await gate.check();
    const waiting = gate.ready();
    used = 50;
    await waiting;
  });

  it('take a volume that does not answer, or has no size, for full', async () => {
    let usage = async (): Promise<{ used: number; total: number }> => Promise.reject(new Error('gone'));
    using gate = new WatermarkGate(
      () => usage(),
      WATERMARKS,
      () => undefined,
    );
    expect(await gate.check()).toBe('stop');
    usage = async () => ({ used: 0, total: 0 });
    expect(await gate.check()).toBe('stop');
    usage = async () => ({ used: 0, total: 1 });
    expect(await gate.check()).toBe('normal');
  });

  it('are known before a spool takes anything', async () => {
    const directory = temporaryDirectory();
    const gate = (): WatermarkGate =>
      new WatermarkGate(
        async () => ({ used: 95, total: 100 }),
        WATERMARKS,
        () => undefined,
      );
    await using kit = await SpoolKit.open(directory, { gate });
    expect(await isOpen(kit.spool.gate)).toBe(false);
  });

  it('do not refuse what was taken already', async () => {
    await using kit = await SpoolKit.open(temporaryDirectory());
    const { sink } = await kit.account();
    kit.usage = 0.95;
    expect(await kit.spool.gate.check()).toBe('stop');
    expect((await sink.deliver([message('a')]))[0]?.fresh).toBe(true);
    let entered = false;
    const waiting = sink.ready().then(() => (entered = true));
    expect(entered).toBe(false);
    kit.usage = 0.85;
    await waiting;
    expect(kit.levels).toEqual(['stop', 'alarm']);
  });
});

describe('usage', () => {
  it('of a volume is what its users can still write against what they have written', async () => {
    const { used, total } = await volumeUsage(temporaryDirectory(), () => 0)();
    expect(used).toBeGreaterThan(0);
    expect(total).toBeGreaterThan(used);
  });

  it('of a quota counts, where it is nearer to full', async () => {
    const directory = temporaryDirectory();
    expect(await volumeUsage(directory, () => 99, 100)()).toEqual({ used: 99, total: 100 });
    expect((await volumeUsage(directory, () => 0, 100)()).total).toBeGreaterThan(100);
  });

  it('counts objects, and pages that hold something', async () => {
    const bytes: (() => number)[] = [];
    const gate = (own: () => number): WatermarkGate => {
      bytes.push(own);
      return new WatermarkGate(
        async () => ({ used: 1, total: 10 }),
        WATERMARKS,
        () => undefined,
      );
    };
    await using kit = await SpoolKit.open(temporaryDirectory(), { gate });
    const { sink } = await kit.account();
    const before = bytes[0]?.() ?? 0;
    await sink.deliverMedia(attachment('photo', Buffer.alloc(5_000_000)));
    const withObject = bytes[0]?.() ?? 0;
    await sink.deliver([message('a', { raw: randomBytes(50_000) })]);
    const withRecord = bytes[0]?.() ?? 0;
    expect(withObject - before).toBeGreaterThan(5_000_000);
    expect(withRecord - withObject).toBeGreaterThan(50_000);
    expect(before).toBeGreaterThan(0);
  });
});
