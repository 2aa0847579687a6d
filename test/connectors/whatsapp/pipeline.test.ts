// SPDX-License-Identifier: AGPL-3.0-or-later

import { describe, expect, test } from 'vitest';
import { codeOf, Failure } from '../../../src/base/failure.ts';
import type { Capture } from '../../../src/connectors/connector.ts';
import { Fence } from '../../../src/connectors/whatsapp/fence.ts';
import { holdFrames, type RawSocket } from '../../../src/connectors/whatsapp/frame-holder.ts';
import type { ClientSocket } from '../../../src/connectors/whatsapp/gate.ts';
import { HealthBook } from '../../../src/connectors/health.ts';
import type { HealthReason } from '../../../src/connectors/whatsapp/reasons.ts';
import { AccountLane } from '../../../src/connectors/whatsapp/lane.ts';
import { accountHead } from '../../../src/connectors/whatsapp/own-records.ts';
import { Pipeline, type Unit } from '../../../src/connectors/whatsapp/pipeline.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { eventually } from '../../support/eventually.ts';
import { MemorySink } from '../../support/memory-sink.ts';

const account = '+15550001111';

function makePipeline(mostWaitingBytes = 1_000_000): {
  sink: MemorySink;
  fence: Fence;
  lane: AccountLane;
  pipeline: Pipeline;
  events: RecordedEvents;
  full: () => number;
  stuck: string[];
} {
  const sink = new MemorySink();
  const events = new RecordedEvents();
  const health = new HealthBook<HealthReason>([account], Date.now, events);
  const onFatal = (): void => undefined;
  const lane = new AccountLane({ account, sink, clock: Date.now, events, health, retryMs: 5, onFatal });
  const fence = new Fence(1);
  let full = 0;
  const stuck: string[] = [];
  const onStuck = (error: unknown): void => void stuck.push(codeOf(error));
  const pipeline = new Pipeline({ lane, fence, mostWaitingBytes, onFull: () => (full += 1), onStuck });
  lane.pipeline = pipeline;
  return { sink, fence, lane, pipeline, events, full: () => full, stuck };
}

const change = (
  text: string,
  name = 'creds',
): { captures: []; session: { name: string; value: Buffer }[]; onDurable: () => void } => ({
  captures: [],
  session: [{ name, value: Buffer.from(text) }],
  onDurable: () => undefined,
});

function message(text: string): Unit {
  const native = { chat: 'c', sender: 's', id: text, kind: 'message', revision: '' };
  const view = { ...accountHead(account), kind: 'unknown', reason: 'understood' } as const;
  const capture = { type: 'content', native, via: 'socket', atMs: 1, view, raw: Buffer.from(text) } as const;
  return { captures: [capture], session: change(text, `key/${text}`).session, onDurable: () => undefined };
}

/** As a mistake in what understands messages would: it never passes. */
const chokesOn =
  (isBad: (capture: Capture) => boolean): MemorySink['obstacle'] =>
  (captures) => {
    if (captures.some(isBad)) throw new TypeError('expected something else');
  };

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const later = new Promise<false>((resolve) => setTimeout(() => resolve(false), 30));
  return await Promise.race([promise.then(() => true as const), later]);
};

describe('a pipeline', () => {
  test('shows what is on its way, and what is durable once it is', async () => {
    const { lane, pipeline, sink } = makePipeline();
    const held = Promise.withResolvers<void>();
    sink.obstacle = () => held.promise;
    const done = pipeline.enter(change('new'));
    expect([lane.session('creds')?.toString(), sink.session('creds')]).toEqual(['new', null]);
    held.resolve();
    await done;
    expect([pipeline.pending('creds'), sink.session('creds')?.toString()]).toEqual([undefined, 'new']);
    expect(pipeline.durable).toBeNull();
  });

  test('delivers what waits together, in the order it was entered, however often a delivery is repeated', async () => {
    const { pipeline, sink } = makePipeline();
    const deliveries: string[][] = [];
    let left = 3;
    sink.obstacle = (_captures, session) => {
      if (left-- > 0) throw new Failure('spool/no-stream', { expected: 'a stream', got: 'none' });
      deliveries.push(session.map(({ value }) => String(value)));
    };
    const all = ['1', '2', '3', '4'].map((text) => pipeline.enter(change(text, `key/${text}`)));
    await Promise.all(all);
    expect(deliveries.flat()).toEqual(['1', '2', '3', '4']);
    expect(sink.session('key/4')?.toString()).toBe('4');
  });

  test('writes a state that changed often while it waited once, as it was last', async () => {
    const { pipeline, sink } = makePipeline();
    const held = Promise.withResolvers<void>();
    const deliveries: string[][] = [];
    sink.obstacle = async (_captures, session) => {
      deliveries.push(session.map(({ value }) => String(value)));
      await held.promise;
    };
    const first = pipeline.enter(change('1'));
    await eventually(() => deliveries.length).toBe(1);
    const others = ['2', '3', '4'].map((text) => pipeline.enter(change(text)));
    expect(pipeline.pending('creds')?.toString()).toBe('4');
    held.resolve();
    await Promise.all([first, ...others]);
    expect([deliveries, sink.session('creds')?.toString()]).toEqual([[['1'], ['4']], '4']);
  });

  test('ends with its fence: nothing of what waits is delivered later, and nobody is told that it is', async () => {
    const { pipeline, sink, fence } = makePipeline();
    const held = Promise.withResolvers<void>();
    let deliveries = 0;
    sink.obstacle = async () => {
      deliveries += 1;
      await held.promise;
    };
    void pipeline.enter(change('under way'));
    await eventually(() => deliveries).toBe(1);
    const waiting = pipeline.enter(change('waiting'));
    fence.fall();
    held.resolve();
    expect(await settled(waiting)).toBe(false);
    expect(await settled(pipeline.enter(change('after')))).toBe(false);
    expect([deliveries, sink.session('creds')?.toString(), pipeline.pending('creds')]).toEqual([
      1,
      'under way',
      undefined,
    ]);
  });

  test('goes no further after an outcome that is unknown', async () => {
    const { pipeline, sink } = makePipeline();
    sink.obstacle = () => {
      throw new Failure('spool/commit', { expected: 'a durable commit', got: 'EIO' });
    };
    expect(await settled(pipeline.enter(change('1')))).toBe(false);
    sink.obstacle = () => undefined;
    expect(await settled(pipeline.enter(change('2')))).toBe(false);
    expect(sink.session('creds')).toBeNull();
  });

  test('keeps the bytes of what the spool chokes on, says so, and goes on with all else', async () => {
    const { pipeline, sink, events, stuck } = makePipeline();
    sink.obstacle = chokesOn(({ native, raw }) => native?.kind === 'message' && String(raw) === 'b');
    await Promise.all(['a', 'b', 'c'].map((text) => pipeline.enter(message(text))));
    await pipeline.enter(message('d'));
    expect(sink.contents.map(({ raw, native, view }) => [String(raw), native.kind, view.kind])).toEqual([
      ['a', 'message', 'unknown'],
      ['b', 'opaque', 'unknown'],
      ['c', 'message', 'unknown'],
      ['d', 'message', 'unknown'],
    ]);
    expect(sink.gaps).toMatchObject([
      { state: 'final', native: { id: 'b' }, view: { detail: 'refused: TypeError' }, count: 1 },
    ]);
    expect(['a', 'b', 'c', 'd'].map((name) => sink.session(`key/${name}`)?.toString())).toEqual(['a', 'b', 'c', 'd']);
    expect([events.total('refused-by-spool'), stuck]).toEqual([1, []]);
  });

  test.each([
    ['the bytes', ({ raw, type }: Capture) => type === 'content' && String(raw) === 'a', 1, 'a'],
    ['the identity', ({ native }: Capture) => native?.kind === 'message', 1, undefined],
  ])('says that something was there if %s cannot be had', async (_name, isBad, gaps, id) => {
    const { pipeline, sink } = makePipeline();
    sink.obstacle = chokesOn(isBad);
    await pipeline.enter(message('a'));
    expect(sink.gaps).toHaveLength(gaps);
    expect([sink.gaps[0]?.native?.id, sink.session('key/a')?.toString()]).toEqual([id, 'a']);
  });

  test('tells of session state that is never stored, and acknowledges nothing after it', async () => {
    const { pipeline, sink, stuck } = makePipeline();
    sink.obstacle = (_captures, session) => {
      if (session.some(({ name }) => name === 'key/a')) throw new TypeError('expected something else');
    };
    const entered = [pipeline.enter(message('a')), pipeline.enter(message('b'))];
    await eventually(() => stuck).toEqual(['TypeError']);
    expect(await Promise.all(entered.map(settled))).toEqual([false, false]);
  });

  test('tells when too much waits', async () => {
    const { pipeline, full, sink } = makePipeline(10);
    sink.obstacle = () => new Promise(() => undefined);
    void pipeline.enter(change('12345'));
    expect(full()).toBe(0);
    void pipeline.enter(change('1234567'));
    expect(full()).toBe(1);
  });
});

/** The client's socket, with what it keeps in the member that its types do not show. */
const clientWith = (raw: RawSocket | null): ClientSocket => ({ socket: raw }) as unknown as ClientSocket;

describe('frames', () => {
  test('of a client whose socket is not there to be held end the process: they would leave before the fsync', () => {
    const hold = (): void => holdFrames(clientWith(null), () => null);
    expect(hold).toThrow(expect.objectContaining({ code: 'whatsapp/socket-hidden', kind: 'fatal' }));
  });

  test('leave at once while nothing is on its way, and else in order after it', async () => {
    const sent: string[] = [];
    const told: string[] = [];
    const raw: RawSocket = { send: (data) => void sent.push(String(data)), terminate: () => undefined };
    let durable: Promise<void> | null = null;
    holdFrames(clientWith(raw), () => durable);
    const send = (text: string): void => raw.send(text, () => told.push(text));
    send('1');
    expect(sent).toEqual(['1']);
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    durable = first.promise;
    send('2');
    durable = second.promise;
    send('3');
    durable = null;
    send('4');
    second.resolve();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([sent, told]).toEqual([['1'], ['2', '3', '4']]);
    first.resolve();
    await eventually(() => sent).toEqual(['1', '2', '3', '4']);
    send('5');
    expect(sent.at(-1)).toBe('5');
  });
});
