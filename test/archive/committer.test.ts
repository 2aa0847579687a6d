// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { headsKey, packKey, segmentKey } from '../../src/record/layout.ts';
import { ArchiverKit, CLASS, ORIGIN, OTHER_CLASS, type Running } from '../support/archiver-kit.ts';
import { checkAll, checkLog } from '../support/check-log.ts';
import type { Called, StrictOptions, StrictStore } from '../support/strict-store.ts';

const CLASSES = [CLASS, OTHER_CLASS, 'third', 'fourth'];
const LOCK = { mode: 'COMPLIANCE', until: '2040-01-01T00:00:00Z' } as const;

const puts = (store: StrictStore): number => store.count('create') + store.count('putDerived');

async function flushed(kit: ArchiverKit, { archiver }: Running): Promise<void> {
  await kit.first.sendAll();
  await archiver.flush();
}

describe('a flush', () => {
  it.each([1, 10, 1000])('takes six PUTs and one read for %d messages of four classes', async (messages) => {
    const kit = new ArchiverKit();
    const store = kit.store();
    const running = await kit.start({ headsEveryMs: 10 ** 13 }, store);
    const stream = kit.first.open();
    await flushed(kit, running);
    const before = {
      puts: puts(store),
      reads: store.count('read') + store.count('state') + store.count('listVersions'),
    };
    for (const ret of CLASSES) {
      for (let left = messages; left > 0; left -= 200) kit.first.messages(stream, Math.min(left, 200), ret);
    }
    await flushed(kit, running);
    expect(puts(store) - before.puts).toBe(6);
    expect(store.count('read') + store.count('state') + store.count('listVersions') - before.reads).toBe(1);
    expect(running.told.commits.at(-1)).toMatchObject({ records: 4 * messages, puts: 6 });
    checkAll(kit);
    await running.archiver[Symbol.asyncDispose]();
  });

  it('takes one more with heads, which come first of the log’s own entries', async () => {
    const kit = new ArchiverKit();
    const running = await kit.start();
    const stream = kit.first.open();
    await flushed(kit, running);
    kit.first.messages(stream, 2);
    await flushed(kit, running);
    expect(running.told.commits.at(-1)).toMatchObject({ records: 2, puts: 4 });
    const types = checkAll(kit)
      .segments.at(-1)
      ?.entries.map((line) => /"t":"([a-z]+)"/.exec(String(line))?.[1]);
    expect(types).toEqual(['content', 'content', 'heads', 'pack']);
    await running.archiver[Symbol.asyncDispose]();
  });

  it('writes packs before the segment, and the segment before the checkpoint', async () => {
    const kit = new ArchiverKit();
    const store = kit.store();
    const running = await kit.start({ headsEveryMs: 10 ** 13 }, store);
    const stream = kit.first.open();
    kit.first.messages(stream, 1);
    kit.first.messages(stream, 1, OTHER_CLASS);
    const from = store.calls.length;
    await flushed(kit, running);
    const order = store.calls
      .slice(from)
      .flatMap(({ call, key }) => (call === 'serverTimeMs' ? [] : `${call} ${key.split('/')[3]}`));
    expect(order).toEqual(['create pack', 'create pack', 'create segment', 'read segment', 'putDerived checkpoint']);
    await running.archiver[Symbol.asyncDispose]();
  });
});

describe('what is in the way of a flush', () => {
  async function failing(
    options: StrictOptions,
    arrange: (kit: ArchiverKit, size: number) => void = () => undefined,
  ): Promise<{ kit: ArchiverKit; code: string; sent: number }> {
    const kit = new ArchiverKit();
    const running = await kit.start({ headsEveryMs: 10 ** 13 }, kit.store(options));
    const stream = kit.first.open();
    await flushed(kit, running);
    arrange(kit, running.archiver.state.size);
    kit.first.messages(stream, 1);
    const before = kit.bucket.sent.length;
    await flushed(kit, running).catch(() => undefined);
    await running.archiver[Symbol.asyncDispose]();
    return { kit, code: codeOf(running.fatals[0]), sent: kit.bucket.sent.length - before };
  }

  it('another writer’s segment: nothing is signed', async () => {
    const { code, sent } = await failing({}, (kit, size) =>
      kit.bucket.add(segmentKey(ORIGIN, size), Buffer.from('theirs'), LOCK),
    );
    expect([code, sent]).toEqual(['archive/superseded', 0]);
  });

  it('a segment that reads back as another: nothing is signed', async () => {
    let kit: ArchiverKit | null = null;
    const before = ({ call, key }: Called): void => {
      if (call === 'read' && key.includes('/segment/') && kit !== null)
        kit.bucket.damage(key, (bytes) => bytes.subarray(1));
    };
    const { code, sent } = await failing({ before }, (built) => (kit = built));
    expect([code, sent]).toEqual(['store/readback', 0]);
  });

  it('other bytes under a pack’s own hash', async () => {
    const kit = new ArchiverKit();
    const running = await kit.start({ headsEveryMs: 10 ** 13 });
    const stream = kit.first.open();
    await flushed(kit, running);
    const batch = kit.first.messages(stream, 1);
    const hash = sha256Hex(batch.job.records[0]?.body as Buffer);
    kit.bucket.add(packKey(ORIGIN, hash), Buffer.from('theirs'), LOCK);
    await flushed(kit, running).catch(() => undefined);
    expect(codeOf(running.fatals[0])).toBe('store/fork');
    await running.archiver[Symbol.asyncDispose]();
  });

  it('heads of other bytes are left out, and told', async () => {
    const kit = new ArchiverKit();
    const running = await kit.start();
    const stream = kit.first.open();
    await flushed(kit, running);
    kit.bucket.add(headsKey(ORIGIN, running.archiver.state.size), Buffer.from('theirs'), LOCK);
    kit.first.messages(stream, 1);
    await flushed(kit, running);
    expect(running.told.troubles).toEqual(['job store/fork']);
    expect(checkAll(kit).entries.some(({ t }) => t === 'heads')).toBe(false);
    await running.archiver[Symbol.asyncDispose]();
    expect(checkLog(kit.bucket).entries.some(({ t }) => t === 'heads')).toBe(true);
  });
});

describe('the same body twice', () => {
  it('lies in one pack that two entries name', async () => {
    const kit = new ArchiverKit();
    const running = await kit.start({ headsEveryMs: 10 ** 13 });
    const streams = [kit.first.open(), kit.first.open()];
    const body = kit.random.bytes(300);
    for (const stream of streams) {
      kit.first.add(stream, [{ t: 'content', body }]);
      await flushed(kit, running);
      kit.pass(1000);
    }
    expect(kit.bucket.keys('log/agency.example/test/pack/').length).toBe(1);
    checkAll(kit);
    await running.archiver[Symbol.asyncDispose]();
  });
});
