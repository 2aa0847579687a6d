// SPDX-License-Identifier: AGPL-3.0-or-later
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/base/failure.ts';
import { ArchiverKit, CLASS } from '../support/archiver-kit.ts';
import type { SentStream } from '../support/batch-sender.ts';
import { checkAll } from '../support/check-log.ts';
import type { Called } from '../support/strict-store.ts';

const KB = 1024;
const NEVER_MS = 3_600_000;

/** A store that writes no pack and no segment until it may. */
class Gate {
  #open!: () => void;
  #opened: Promise<void>;
  isShut = false;

  constructor() {
    this.#opened = Promise.resolve();
  }

  shut(): void {
    this.isShut = true;
    this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  open(): void {
    this.isShut = false;
    this.#open();
  }

  readonly before = async ({ call, key }: Called): Promise<void> => {
    if (call === 'create' && !key.includes('/heads/')) await this.#opened;
  };
}

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await turn();
}

describe('a flush', () => {
  it('comes by itself after a while', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start({ rhythm: { maxBytes: 2 ** 22, maxDelayMs: 1 } });
    kit.first.open();
    await kit.first.sendAll();
    await expect.poll(() => kit.backlog()).toBe(0);
    checkAll(kit);
    await archiver[Symbol.asyncDispose]();
  });

  it('comes at once when enough waits', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start({ rhythm: { maxBytes: 4 * KB, maxDelayMs: NEVER_MS } });
    const stream = kit.first.open();
    kit.first.messages(stream, 4, CLASS, KB);
    await kit.first.sendAll();
    await expect.poll(() => kit.backlog()).toBe(0);
    await archiver[Symbol.asyncDispose]();
  });

  it('runs alone, and the next one takes all that came meanwhile', async () => {
    const kit = new ArchiverKit();
    const gate = new Gate();
    const { archiver, told } = await kit.start({}, kit.store({ before: gate.before }));
    const stream = kit.first.open();
    await kit.first.sendAll();
    gate.shut();
    const first = archiver.flush();
    await turns(20);
    for (let batch = 0; batch < 5; batch += 1) await kit.first.send(kit.first.messages(stream, 2));
    const second = archiver.flush();
    gate.open();
    await Promise.all([first, second]);
    expect(told.commits.map(({ records }) => records)).toEqual([0, 1, 10]);
    checkAll(kit);
    await archiver[Symbol.asyncDispose]();
  });

  it('writes nothing when nothing waits', async () => {
    const kit = new ArchiverKit();
    const { archiver, told } = await kit.start();
    await archiver.flush();
    await archiver.flush();
    expect(told.commits.length).toBe(1);
    await archiver[Symbol.asyncDispose]();
  });
});

describe('a flood in front of a slow store', () => {
  it('waits outside, and gets in when there is room', async () => {
    const kit = new ArchiverKit();
    const gate = new Gate();
    const maxBytes = 16 * KB;
    const { archiver } = await kit.start(
      { rhythm: { maxBytes, maxDelayMs: NEVER_MS } },
      kit.store({ before: gate.before }),
    );
    const streams = Array.from({ length: 30 }, () => kit.first.open());
    await kit.first.sendAll();
    await archiver.flush();
    gate.shut();
    const batches = Array.from({ length: 300 }, (_, index) =>
      kit.first.messages(streams[index % streams.length] as SentStream, 1, CLASS, KB),
    );
    let taken = 0;
    const sending = batches.map(async (batch) => {
      await kit.first.send(batch);
      taken += 1;
    });
    await turns(2000);
    const bytesEach = 490 + KB;
    // What the running flush holds, at most four times its size, and four flushes that wait; the rest is the transport's.
    expect(taken * bytesEach).toBeLessThan(maxBytes * 9);
    expect(taken * bytesEach).toBeGreaterThan(maxBytes * 5);
    gate.open();
    await Promise.all(sending);
    await archiver.flush();
    checkAll(kit);
    await archiver[Symbol.asyncDispose]();
  });

  it.each(['failure', 'close'] as const)('does not wait for ever behind a %s', async (what) => {
    const kit = new ArchiverKit();
    const gate = new Gate();
    let isBroken = false;
    const store = kit.store({ before: gate.before, fault: () => (isBroken ? 'lost' : undefined) });
    const { archiver, fatals } = await kit.start({ rhythm: { maxBytes: 4 * KB, maxDelayMs: NEVER_MS } }, store);
    const stream = kit.first.open();
    gate.shut();
    const sending = [
      ...stream.batches,
      ...Array.from({ length: 60 }, () => kit.first.messages(stream, 1, CLASS, KB)),
    ].map(async (batch) => kit.first.send(batch).then(() => 'taken', codeOf));
    await turns(500);
    isBroken = what === 'failure';
    const closed = what === 'close' ? archiver[Symbol.asyncDispose]() : null;
    gate.open();
    const outcomes = new Set(await Promise.all(sending));
    await closed;
    expect(outcomes).toEqual(new Set(['taken', what === 'close' ? 'store/unreachable' : 'store/unknown-outcome']));
    expect(fatals.length).toBe(what === 'failure' ? 1 : 0);
    await archiver[Symbol.asyncDispose]();
    const { archiver: next } = await kit.drain();
    for (let again = 0; again < 20 && kit.backlog() > 0; again += 1) {
      await kit.first.sendAll(true);
      await next.flush();
    }
    checkAll(kit);
    await next[Symbol.asyncDispose]();
  });
});

describe('a store that fails during a flush', () => {
  it('ends the archiver once, and nothing is admitted after', async () => {
    const kit = new ArchiverKit();
    let isBroken = false;
    const { archiver, fatals, told } = await kit.start({}, kit.store({ fault: () => (isBroken ? 'lost' : undefined) }));
    const stream = kit.first.open();
    await kit.first.sendAll();
    isBroken = true;
    await expect(archiver.flush()).rejects.toMatchObject({ kind: 'fatal' });
    await expect(archiver.flush()).rejects.toMatchObject({ kind: 'fatal' });
    isBroken = false;
    await expect(kit.first.send(kit.first.messages(stream, 1))).rejects.toMatchObject({ kind: 'fatal' });
    await expect(archiver.flush()).rejects.toMatchObject({ kind: 'fatal' });
    expect(fatals.map(codeOf)).toEqual(['store/unknown-outcome']);
    expect(told.commits.length).toBe(1);
    await archiver[Symbol.asyncDispose]();
    expect(fatals.length).toBe(1);
  });

  it('is told to the caller of a start, and to nobody else', async () => {
    const kit = new ArchiverKit();
    const store = kit.store({ fault: ({ call }) => (call === 'create' ? 'persisted' : undefined) });
    await expect(kit.start({}, store)).rejects.toMatchObject({ code: 'store/unknown-outcome' });
    await turns(50);
    expect(kit.fatals).toEqual([]);
  });
});

describe('closing', () => {
  it('writes what was admitted, and admits no more', async () => {
    const kit = new ArchiverKit();
    const { archiver } = await kit.start();
    const stream = kit.first.open();
    await kit.first.sendAll();
    await archiver[Symbol.asyncDispose]();
    expect(kit.backlog()).toBe(0);
    await expect(kit.first.send(kit.first.messages(stream, 1))).rejects.toMatchObject({ kind: 'retry' });
  });
});
