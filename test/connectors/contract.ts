// SPDX-License-Identifier: AGPL-3.0-or-later

import { describe, expect, onTestFinished, test } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import type { Session, SessionDeps } from '../../src/connectors/connector.ts';
import { RecordedEvents } from '../support/connector-events.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { eventually } from '../support/eventually.ts';

/** A messenger's side of the wire, with one account. */
export interface Upstream extends AsyncDisposable {
  readonly account: string;
  /** Opens a session on it. MUST NOT do I/O. */
  open(deps: SessionDeps): Session;
  /** Called once the session runs, until it returns true: what `send` sends now can arrive. */
  isReady(session: Session): boolean;
  /** Sends a message with this text. Resolves when it was offered, whether or not it was acknowledged. */
  send(text: string): Promise<void>;
  /** How many messages the session acknowledged, so that nobody will send them again. */
  acknowledged(): number;
}

interface Running {
  readonly upstream: Upstream;
  readonly session: Session;
  readonly sink: MemorySink;
  readonly events: RecordedEvents;
  readonly run: Promise<void>;
  stop(): Promise<void>;
}

async function start(connect: () => Promise<Upstream>): Promise<Running> {
  const upstream = await connect();
  const sink = new MemorySink();
  const events = new RecordedEvents();
  const session = upstream.open({ accounts: new Map([[upstream.account, sink]]), clock: Date.now, events });
  const stop = new AbortController();
  const run = session.run(stop.signal);
  run.catch(() => undefined);
  const running: Running = {
    upstream,
    session,
    sink,
    events,
    run,
    stop: () => {
      stop.abort();
      return run;
    },
  };
  onTestFinished(async () => {
    await running.stop().catch(() => undefined);
    await upstream[Symbol.asyncDispose]();
  });
  await eventually(() => upstream.isReady(session)).toBe(true);
  return running;
}

const texts = ({ sink }: Running): (string | null)[] => sink.ofKind('message').map(({ content }) => content.text);

const captures = ({ session, upstream }: Running): boolean => session.health(upstream.account).state === 'capturing';

/**
 * What every connector must keep, whatever its messenger. `connect` starts the messenger's emulator with one linked account.
 */
export function describeConnector(name: string, connect: () => Promise<Upstream>): void {
  describe(`connector ${name}`, () => {
    test('does nothing when it is opened, and is stopped', async () => {
      await using upstream = await connect();
      const sink = new MemorySink();
      const events = new RecordedEvents();
      const session = upstream.open({ accounts: new Map([[upstream.account, sink]]), clock: Date.now, events });
      expect(session.health(upstream.account)).toMatchObject({ state: 'stopped', lastCaptureMs: null });
      expect([sink.records, events.states]).toEqual([[], []]);
    });

    test('delivers a message with its bytes and what was understood of them', async () => {
      const running = await start(connect);
      await running.upstream.send('hello');
      await eventually(() => texts(running)).toEqual(['hello']);
      const [capture] = running.sink.messages.filter(({ view }) => view.kind === 'message');
      expect(Buffer.from(capture?.raw ?? []).length).toBeGreaterThan(0);
      expect(running.session.health(running.upstream.account).lastCaptureMs).not.toBeNull();
      await eventually(() => running.upstream.acknowledged()).toBeGreaterThan(0);
    });

    test('takes nothing that the archive says itself for something captured', async () => {
      const running = await start(connect);
      const { account } = running.upstream;
      await eventually(() => captures(running)).toBe(true);
      const own = (): string[] =>
        [...running.events.counts.keys()].filter((via) => ['connector', 'rest'].includes(via));
      const hasCaptured = (): boolean => running.session.health(account).lastCaptureMs !== null;
      await eventually(() => hasCaptured() === running.sink.messages.length > 0).toBe(true);
      expect(own()).toEqual([]);
    });

    test('acknowledges nothing before a delivery that hangs is durable', async () => {
      const running = await start(connect);
      const held = Promise.withResolvers<void>();
      running.sink.obstacle = () => held.promise;
      const sent = running.upstream.send('held');
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect([running.upstream.acknowledged(), texts(running)]).toEqual([0, []]);
      held.resolve();
      await sent;
      await eventually(() => texts(running)).toEqual(['held']);
      await eventually(() => running.upstream.acknowledged()).toBe(1);
    });

    test('takes nothing while the spool is full, and goes on when there is room', async () => {
      const running = await start(connect);
      const room = Promise.withResolvers<void>();
      running.sink.gate = room.promise;
      const sent = running.upstream.send('waits');
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect([running.upstream.acknowledged(), texts(running)]).toEqual([0, []]);
      room.resolve();
      await sent;
      await eventually(() => texts(running)).toEqual(['waits']);
    });

    test('delivers again after a rejection that may pass', async () => {
      const running = await start(connect);
      let left = 2;
      running.sink.obstacle = (given) => {
        if (given.length > 0 && left-- > 0) throw new Failure('spool/no-stream', { expected: 'a stream', got: 'none' });
      };
      await running.upstream.send('again');
      await eventually(() => texts(running)).toEqual(['again']);
    });

    test('records a message once that was durable although its delivery was rejected', async () => {
      const running = await start(connect);
      let left = 1;
      const deliver = running.sink.deliver.bind(running.sink);
      running.sink.deliver = async (given, session) => {
        const delivered = await deliver(given, session);
        if (given.some(({ via }) => via !== 'connector' && via !== 'rest') && left-- > 0) {
          throw new Failure('spool/no-stream', { expected: 'an answer', got: 'none, after it was stored' });
        }
        return delivered;
      };
      await running.upstream.send('once');
      await eventually(() => running.upstream.acknowledged()).toBeGreaterThan(0);
      expect(texts(running)).toEqual(['once']);
    });

    test('ends with what is fatal, and acknowledges nothing then', async () => {
      const running = await start(connect);
      running.sink.obstacle = () => {
        throw new Failure('spool/commit', { expected: 'a durable commit', got: 'EIO' });
      };
      await running.upstream.send('lost?').catch(() => undefined);
      await expect(running.run).rejects.toThrow('spool/commit');
      expect(running.upstream.acknowledged()).toBe(0);
      expect(running.session.health(running.upstream.account).state).toBe('stopped');
    });

    test('is capturing when all is well, ends when it is told to, and can be run again', async () => {
      const running = await start(connect);
      await eventually(() => captures(running)).toBe(true);
      await running.stop();
      expect(running.session.health(running.upstream.account).state).toBe('stopped');
      const stop = new AbortController();
      const again = running.session.run(stop.signal);
      await eventually(() => running.upstream.isReady(running.session)).toBe(true);
      await running.upstream.send('second run');
      await eventually(() => texts(running)).toEqual(['second run']);
      stop.abort();
      await again;
    });

    test('tells operators nothing of what people write', async () => {
      const running = await start(connect);
      const marker = 'marker-7f3a91';
      await running.upstream.send(marker);
      await eventually(() => texts(running)).toEqual([marker]);
      await running.stop();
      expect(running.events.text).not.toContain(marker);
      expect(running.events.text).not.toContain(running.upstream.account.replace(/^\+/, ''));
    });
  });
}
