// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeAll, describe, expect, it } from 'vitest';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MOST_OUTSTANDING } from '../../src/spool/batches.ts';
import { SpoolKit, temporaryDirectory, until } from '../support/spool-kit.ts';
import { message } from '../support/spool-parts.ts';
import { newFar, ShippingKit } from '../support/shipping-kit.ts';

const RECORDS = 50_000;
const QUICK = { times: { headsTimeoutMs: 20, doubtPauseMs: 0 }, againAfterMs: 500 };
const MIB = 1024 * 1024;

/** The most memory that was in use while something ran, beyond what was in use before. */
async function growth(run: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5);
  await run();
  clearInterval(watch);
  return (peak - before) / MIB;
}

describe(`a backlog of ${RECORDS} records`, () => {
  let filled = '';

  beforeAll(async () => {
    filled = mkdtempSync(join(tmpdir(), 'holdfast-backlog-'));
    await using kit = await SpoolKit.open(filled);
    const { sink } = await kit.account();
    const raw = (id: number): Buffer => Buffer.from(`${id} `.repeat(60));
    for (let at = 0; at < RECORDS; at += 500)
      await sink.deliver(Array.from({ length: 500 }, (_, no) => message(`${at + no}`, { raw: raw(at + no) })));
    return () => rmSync(filled, { recursive: true, force: true });
  }, 120_000);

  const copy = (): string => {
    const directory = temporaryDirectory();
    cpSync(filled, directory, { recursive: true });
    return directory;
  };

  it('takes little memory while the archiver is silent, however often it is sent again', async () => {
    const far = newFar();
    const sent = new Set<string>();
    far.log.take = (text) => void sent.add(text.slice(0, 400));
    const used = await growth(async () => {
      await using of = await ShippingKit.start(far, copy(), ['first'], { ...QUICK, againAfterMs: 60 });
      await until('it was sent again and again', () => far.link.sent > 60);
      expect(of.spool.backlog()).toBe(RECORDS + 1);
    });
    expect(used).toBeLessThan(150);
    expect(sent.size).toBeLessThanOrEqual(2 * MOST_OUTSTANDING + 4);
  }, 120_000);

  it('drains in order, in full batches', async () => {
    const far = newFar();
    await using of = await ShippingKit.start(far, copy(), ['first'], QUICK);
    await until('all is archived', () => of.spool.backlog() === 0, 100_000);
    const [stream] = [...far.log.streams.values()];
    expect(stream?.seq).toBe(RECORDS + 1);
    expect(far.log.violations).toEqual([]);
    expect(far.log.batches.length).toBeLessThan(RECORDS / 200);
  }, 120_000);

  it('that goes into a new stream is never in memory as a whole, and does not hold up capture', async () => {
    const far = newFar();
    far.link.isAway = true;
    let slowest = 0;
    const used = await growth(async () => {
      await using of = await ShippingKit.start(far, copy(), ['first'], QUICK);
      const [stream] = of.spool.streams();
      let isDone = false;
      const adopted = of.attachments.doubt(stream?.stream ?? '').then(() => (isDone = true));
      for (let at = 0; !isDone; at += 1) {
        const startMs = performance.now();
        await of.sink.deliver([message(`meanwhile ${at}`)]);
        slowest = Math.max(slowest, performance.now() - startMs);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await adopted;
      expect(stream?.archivedSeq).toBe(stream?.headSeq);
    });
    expect(used).toBeLessThan(250);
    expect(slowest).toBeLessThan(5000);
  }, 240_000);
});
