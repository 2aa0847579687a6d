// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { incoming } from '../../emulators/signal/envelopes.ts';
import { account, dana, texts } from '../../emulators/signal/test-world.ts';
import { Capturing } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const socketOnly = { intakes: ['websocket'] } as const;

const bodies = ({ sink }: Capturing): (string | null)[] => sink.ofKind('message').map(({ content }) => content.text);

const message = (at: number): ReturnType<typeof incoming> => incoming(dana, 1_786_000_000_000 + at, { text: `${at}` });

async function connected(capturing: Capturing): Promise<void> {
  await eventually(() => capturing.emulator.webSocketCount).toBe(1);
}

test('captures single messages, one socket per account', async () => {
  const capturing = await Capturing.start(socketOnly);
  await connected(capturing);
  for (const at of [1, 2, 3]) await capturing.emulator.receive(account, message(at));
  await eventually(() => bodies(capturing)).toEqual(['1', '2', '3']);
  expect(capturing.emulator.requests.filter(({ path }) => path.startsWith('/v1/receive/'))).toHaveLength(1);
});

test('connects again when the container restarts, without an error and without losing green for long', async () => {
  const capturing = await Capturing.start({ intakes: ['websocket', 'journal'] });
  await connected(capturing);
  await eventually(() => capturing.state).toBe('capturing');
  await capturing.emulator.exitProcess();
  await eventually(() => capturing.state).toBe('degraded');
  await capturing.emulator.startProcess({ redialMs: 0 });
  await connected(capturing);
  await capturing.emulator.receive(account, message(1));
  await eventually(() => bodies(capturing)).toEqual(['1']);
  await eventually(() => capturing.state).toBe('capturing');
  expect(capturing.events.troubles.filter(({ reason }) => reason === 'websocket')).toEqual([]);
});

test('gives up a socket from which neither ping nor frame comes, and takes a new one (L3)', async () => {
  const capturing = await Capturing.start({
    ...socketOnly,
    emulator: { pingIntervalMs: 40 },
    settings: { timeouts: { webSocketSilence: '1s' } },
  });
  await connected(capturing);
  const opened = (): number => capturing.emulator.requests.filter(({ status }) => status === 101).length;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(opened()).toBe(1);
  const release = capturing.emulator.stallWebSockets();
  await eventually(opened).toBeGreaterThan(1);
  release();
  await capturing.emulator.receive(account, message(1));
  await eventually(() => bodies(capturing)).toEqual(['1']);
});

test('shows a socket that stays away in health, not as an alarm', async () => {
  const capturing = await Capturing.start({ intakes: ['websocket', 'journal'] });
  await connected(capturing);
  await capturing.emulator.exitProcess();
  await eventually(() => capturing.session.health(account).reasons).toContain('websocket-down');
  await capturing.emulator.startProcess({ redialMs: 0 });
  await eventually(() => capturing.session.health(account).reasons).toEqual([]);
});

test('drops the socket when the spool takes nothing for too long, and misses nothing by it with a journal', async () => {
  const capturing = await Capturing.start({
    intakes: ['websocket', 'journal'],
    emulator: { linesPerFrame: 1 },
    settings: { limits: { pending: '2KiB' } },
  });
  await connected(capturing);
  const room = Promise.withResolvers<void>();
  capturing.sink.gate = room.promise;
  for (const payload of texts(40, 100)) await capturing.emulator.receive(account, payload);
  await eventually(() => capturing.emulator.requests.filter(({ status }) => status === 101).length).toBeGreaterThan(1);
  expect(capturing.sink.messages).toEqual([]);
  room.resolve();
  await eventually(() => capturing.sink.messages.length).toBe(40);
});

test('alone, is never green: the account is degraded and a gap stays open for as long (L2)', async () => {
  const capturing = await Capturing.start(socketOnly);
  await connected(capturing);
  await eventually(() => capturing.sink.openGaps().map(({ cause }) => cause)).toEqual(['intake-lost']);
  expect(capturing.session.health(account)).toMatchObject({ state: 'degraded', reasons: ['lossy-intake'] });
  await capturing.emulator.receiveBurst(account, texts(200));
  expect(capturing.emulator.history.filter(({ webSocket }) => webSocket.written === 0).length).toBeGreaterThan(100);
  expect(capturing.sink.openGaps()).toHaveLength(1);
});

test('alone, records each time without a socket as a gap (L1)', async () => {
  const capturing = await Capturing.start(socketOnly);
  await connected(capturing);
  await capturing.emulator.exitProcess();
  await capturing.emulator.startProcess({ redialMs: 0 });
  await eventually(
    () => capturing.sink.gaps.filter(({ cause, state }) => cause === 'intake-lost' && state === 'final').length,
  ).toBe(1);
  const [gap] = capturing.sink.gaps.filter(({ state, cause }) => state === 'final' && cause === 'intake-lost');
  expect(gap?.toMs).toBeGreaterThanOrEqual(gap?.fromMs ?? Infinity);
});

test('lets go of the gap of a lossy setup once a lossless intake is configured', async () => {
  const lossy = await Capturing.start(socketOnly);
  await eventually(() => lossy.sink.openGaps().length).toBe(1);
  await lossy.stop();
  const whole = new Capturing(lossy.emulator, { accounts: new Map([[account, lossy.sink]]) });
  await whole.run();
  await eventually(() => lossy.sink.openGaps()).toEqual([]);
  await eventually(() => whole.state).toBe('capturing');
  await whole.stop();
});
