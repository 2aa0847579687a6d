// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { reached } from '../../emulators/signal/history.ts';
import { incoming } from '../../emulators/signal/envelopes.ts';
import { account, dana, texts } from '../../emulators/signal/test-world.ts';
import { Capturing } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

// The rows of the loss table in src/connectors/signal/README.md that are about several parts at once. Rows that concern one part
// are tested with it.

const archived = ({ sink }: Capturing): string[] =>
  sink.messages.map(({ raw }) => Buffer.from(raw).toString()).toSorted();
const handedOn = ({ emulator }: Capturing): string[] =>
  emulator.history
    .filter(({ dropped }) => dropped === null)
    .map(({ params }) => params)
    .toSorted();
const gaps = ({ sink }: Capturing): string[] => sink.gaps.map(({ cause, state }) => `${cause} ${state}`);

async function connected(capturing: Capturing): Promise<void> {
  await eventually(() => capturing.state).toBe('capturing');
  await eventually(() => capturing.emulator.webSocketCount).toBe(1);
}

test('L1: what came while this connector was not running comes from the journal', async () => {
  const capturing = await Capturing.start();
  await connected(capturing);
  await capturing.stop();
  await capturing.emulator.receiveBurst(account, texts(100));
  expect(
    capturing.emulator.history.some((message) => reached(message, 'webhook') || reached(message, 'web-socket')),
  ).toBe(false);
  await capturing.run();
  await eventually(() => archived(capturing)).toEqual(handedOn(capturing));
  expect(gaps(capturing)).toEqual([]);
  await eventually(() => capturing.events.total('webhook-missed')).toBe(100);
});

test('L2: what a burst loses on the WebSocket comes from the journal, and the report tells by how much', async () => {
  const capturing = await Capturing.start({ intakes: ['websocket', 'journal'] });
  await connected(capturing);
  await capturing.emulator.receiveBurst(account, texts(1000));
  const missed = capturing.emulator.history.filter((message) => !reached(message, 'web-socket')).length;
  expect(missed).toBeGreaterThan(500);
  await eventually(() => archived(capturing)).toEqual(handedOn(capturing));
  await capturing.stop();
  const [report] = capturing.sink.ofKind('intakes').map(({ report: one }) => one as { only: Record<string, number> });
  expect(report?.only['journal']).toBe(missed);
});

test('L2: alone, what a burst loses on the WebSocket shows as soon as somebody refers to it', async () => {
  const capturing = await Capturing.start({ intakes: ['websocket'] });
  await eventually(() => capturing.emulator.webSocketCount).toBe(1);
  await eventually(() => capturing.sink.session('linked')).not.toBeNull();
  const start = Date.now() + 1000;
  const burst = Array.from({ length: 200 }, (_, at) => incoming(dana, start + at, { text: `${at}` }));
  await capturing.emulator.receiveBurst(account, burst);
  const lost = capturing.emulator.history
    .filter((message) => !reached(message, 'web-socket'))
    .map(({ timestamp }) => String(timestamp));
  expect(lost.length).toBeGreaterThan(100);
  // The owner's phone read them all, one after the other.
  for (const [at, timestamp] of [...lost].entries()) {
    const readMessages = [
      { sender: dana.number, senderNumber: dana.number, senderUuid: dana.uuid, timestamp: Number(timestamp) },
    ];
    const head = incoming(
      { uuid: '7c0e2c1a-5b1e-4f0e-9a53-1d1b7f0a9e01', number: account },
      start + 1000 + at,
      {},
    ).envelope;
    const { dataMessage: _none, ...envelope } = head;
    await capturing.emulator.receive(account, { envelope: { ...envelope, syncMessage: { readMessages } } });
  }
  const unseen = (): string[] =>
    capturing.sink.gaps.flatMap(({ cause, native }) => (cause === 'reference-unseen' ? [native?.id ?? ''] : []));
  await eventually(unseen).toEqual(lost);
});

test('L3: a peer that stalls the sockets of all costs nothing with a webhook and a journal', async () => {
  const capturing = await Capturing.start();
  await connected(capturing);
  const release = capturing.emulator.stallWebSockets();
  for (const payload of texts(20)) await capturing.emulator.receive(account, payload);
  await eventually(() => archived(capturing)).toEqual(handedOn(capturing));
  expect(capturing.emulator.history.filter((message) => reached(message, 'web-socket')).length).toBeLessThan(2);
  release();
});

test('L4: what the webhook did not deliver comes from the journal, and is counted', async () => {
  const capturing = await Capturing.start();
  await connected(capturing);
  const right = capturing.emulator.webhookUrl;
  // Nobody listens; a path that answers 404.
  for (const url of ['http://127.0.0.1:9/', `${right}wrong`]) {
    capturing.emulator.webhookUrl = url;
    capturing.emulator.faults.webSocketDrop = { drop: 1, of: 1 };
    for (const payload of texts(5, url.length)) await capturing.emulator.receive(account, payload);
  }
  capturing.emulator.webhookUrl = right;
  expect(capturing.emulator.history.every(({ webhook }) => webhook.failed === 1)).toBe(true);
  await eventually(() => archived(capturing)).toEqual([...new Set(handedOn(capturing))]);
  expect(capturing.events.alarmed('webhook-path')).toBe(true);
  await eventually(() => capturing.events.alarmed('webhook-missed')).toBe(true);
});

test('L7, L10: a message that reached nobody shows as a gap once another one refers to it', async () => {
  const capturing = await Capturing.start();
  await connected(capturing);
  const at = Date.now() + 1000;
  capturing.emulator.faults.crashesBeforeHandler = 1;
  await capturing.emulator.receive(account, incoming(dana, at, { text: 'lost in signal-cli' }));
  await eventually(() => capturing.emulator.webSocketCount).toBe(1);
  await eventually(() => capturing.state).toBe('capturing');
  const quote = { id: at, author: dana.uuid, authorUuid: dana.uuid, text: 'lost in signal-cli' };
  await capturing.emulator.receive(account, incoming(dana, at + 1, { text: 'as I said', more: { quote } }));
  await eventually(() => gaps(capturing)).toContain('reference-unseen open');
  expect(gaps(capturing)).toContain('restart final');
});

test('L11: an account that Signal unlinked is a gap from when it was last listed until it is linked again', async () => {
  const capturing = await Capturing.start();
  await connected(capturing);
  const listedMs = Date.now();
  capturing.emulator.unlink(account);
  await capturing.emulator.receive(account, incoming(dana, Date.now(), { text: 'nobody gets this' }));
  await eventually(() => capturing.state).toBe('unlinked');
  capturing.emulator.relink(account);
  await eventually(() => capturing.state).toBe('capturing');
  const [opened, closed] = capturing.sink.gaps;
  expect([opened?.cause, opened?.state, closed?.state]).toEqual(['unlinked', 'open', 'closed']);
  expect(opened?.fromMs).toBeLessThanOrEqual(listedMs + 5000);
  expect(closed?.toMs).toBeGreaterThan(opened?.fromMs ?? Infinity);
});

test('the container ends and starts again in the middle of a burst: what signal-cli handed on is there', async () => {
  const capturing = await Capturing.start();
  await connected(capturing);
  const burst = capturing.emulator.receiveBurst(account, texts(300));
  await eventually(() => capturing.sink.messages.length, 1).toBeGreaterThan(20);
  await capturing.emulator.exitProcess();
  await burst;
  await capturing.emulator.startProcess({ redialMs: 50 });
  await eventually(() => capturing.emulator.messages.every(({ state }) => state === 'acknowledged')).toBe(true);
  await capturing.emulator.whenIdle();
  await eventually(() => archived(capturing)).toEqual(handedOn(capturing));
});

test('signal-cli restarts with a backlog, which goes to the journal before the REST process is back', async () => {
  const capturing = await Capturing.start();
  await connected(capturing);
  capturing.emulator.stopDaemon();
  await capturing.emulator.receiveBurst(account, texts(100));
  capturing.emulator.startDaemon({ redialMs: 300 });
  expect(capturing.emulator.history.filter((message) => !reached(message, 'webhook'))).toHaveLength(100);
  await eventually(() => archived(capturing)).toEqual(handedOn(capturing));
  await eventually(() => gaps(capturing)).toContain('restart final');
});
