// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { reached } from './history.ts';
import { journalMessages, SocketReader, WebhookReceiver } from './intakes.ts';
import { account, startWorld, texts } from './test-world.ts';

test('loses most frames of a burst on the WebSocket when no webhook paces the loop', async () => {
  await using emulator = await startWorld();
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  const sent = await emulator.receiveBurst(account, texts(1000));
  const written = sent.filter((message) => reached(message, 'web-socket')).length;
  await expect.poll(() => socket.frames.length).toBe(written);
  expect(written).toBeGreaterThan(5);
  expect(written).toBeLessThan(100);
  expect(sent.every((message) => message.webSocket.written + message.webSocket.missed === 1)).toBe(true);
  expect(journalMessages(emulator.journalPath)).toHaveLength(1000);
});

test('delivers one or two frames of a burst of ten', async () => {
  await using emulator = await startWorld();
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  await emulator.receiveBurst(account, texts(10));
  await expect.poll(() => socket.frames.length).toBeGreaterThan(0);
  expect(socket.frames.length).toBeLessThan(3);
});

test('drops the same frames for the same seed', async () => {
  const survivors = async (seed: number): Promise<string[]> => {
    await using emulator = await startWorld({ seed });
    using socket = await SocketReader.open(emulator.webSocketUrl(account));
    const sent = await emulator.receiveBurst(account, texts(500));
    expect(socket.frames.length).toBeLessThan(500);
    return sent.filter((message) => reached(message, 'web-socket')).map((message) => message.params);
  };
  const first = await survivors(7);
  expect(await survivors(7)).toEqual(first);
  expect(await survivors(8)).not.toEqual(first);
});

test('loses no frame when messages come one by one', async () => {
  await using emulator = await startWorld();
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  for (const payload of texts(300)) await emulator.receive(account, payload);
  await expect.poll(() => socket.frames.length).toBe(300);
});

test('posts every message of a burst to the webhook, one at a time, and so paces the WebSocket', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  const sent = await emulator.receiveBurst(account, texts(1000));
  expect(webhook.params).toEqual(sent.map((message) => message.params));
  expect(webhook.peak).toBe(1);
  expect(webhook.posts[0]).toMatchObject({ method: 'POST', contentType: 'application/json' });
  await expect.poll(() => socket.frames.length).toBe(1000);
});

test('gives the frame to the socket before it calls the webhook, and the next one only after the answer', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  webhook.hold();
  const burst = emulator.receiveBurst(account, texts(2));
  await expect.poll(() => [webhook.posts.length, socket.frames.length]).toEqual([1, 1]);
  expect(journalMessages(emulator.journalPath)).toHaveLength(2);
  webhook.release();
  await burst;
  await expect.poll(() => [webhook.posts.length, socket.frames.length]).toEqual([2, 2]);
});

test('tries a webhook once and counts 200 and 201 only', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  for (const status of [200, 201, 202, 204, 400, 503]) {
    webhook.status = status;
    for (const payload of texts(1)) await emulator.receive(account, payload);
  }
  expect(webhook.posts).toHaveLength(6);
  expect(emulator.history.map((message) => message.webhook.accepted)).toEqual([1, 1, 0, 0, 0, 0]);
  emulator.webhookUrl = 'http://127.0.0.1:1/';
  const lost = await emulator.receive(account, texts(1)[0] ?? '');
  expect(lost.webhook).toEqual({ accepted: 0, failed: 1 });
});

test('drops every frame while nobody is connected', async () => {
  await using emulator = await startWorld();
  await emulator.receiveBurst(account, texts(100));
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  await emulator.receive(account, texts(1)[0] ?? '');
  await expect.poll(() => socket.frames.length).toBe(1);
  expect(emulator.history.filter((message) => reached(message, 'web-socket'))).toHaveLength(1);
  expect(emulator.history.filter((message) => reached(message, 'journal'))).toHaveLength(101);
});

test('gives each socket of a number its own copy and sockets of other numbers nothing', async () => {
  await using emulator = await startWorld();
  using first = await SocketReader.open(emulator.webSocketUrl(account));
  using second = await SocketReader.open(emulator.webSocketUrl(account));
  using unknown = await SocketReader.open(emulator.webSocketUrl('+19995550000'));
  for (const payload of texts(50)) await emulator.receive(account, payload);
  await expect.poll(() => [first.frames.length, second.frames.length]).toEqual([50, 50]);
  expect(unknown.frames).toEqual([]);
});

test('starves a healthy socket while another one does not read', async () => {
  await using emulator = await startWorld();
  using healthy = await SocketReader.open(emulator.webSocketUrl(account));
  const stalled = await SocketReader.open(emulator.webSocketUrl(account));
  stalled.socket.pause();
  for (const payload of texts(100, 400_000)) await emulator.receive(account, payload);
  expect(healthy.frames.length).toBeLessThan(100);
  const before = emulator.messages.length;
  await emulator.receive(account, texts(1)[0] ?? '');
  expect(emulator.messages[before]?.webSocket).toEqual({ written: 0, missed: 2 });
  stalled.socket.terminate();
  await expect.poll(() => emulator.webSocketCount).toBe(1);
  await emulator.receive(account, texts(1)[0] ?? '');
  await expect.poll(() => healthy.frames.at(-1)).toBe(emulator.messages.at(-1)?.params);
});

test('gives nobody a frame or a ping while the write lock is held', async () => {
  await using emulator = await startWorld({ pingIntervalMs: 5 });
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  await expect.poll(() => socket.pings).toBeGreaterThan(1);
  const release = emulator.stallWebSockets();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { pings } = socket;
  for (const payload of texts(5)) await emulator.receive(account, payload);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect([socket.frames.length, socket.pings]).toEqual([0, pings]);
  release();
  await expect.poll(() => socket.frames.length).toBe(1);
  await expect.poll(() => socket.pings).toBeGreaterThan(pings);
  expect(emulator.history.map((message) => message.webSocket.missed)).toEqual([0, 1, 1, 1, 1]);
});

test('drops k of n frames where told to', async () => {
  await using emulator = await startWorld();
  emulator.faults.webSocketDrop = { drop: 2, of: 5 };
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  for (const payload of texts(10)) await emulator.receive(account, payload);
  await expect.poll(() => socket.frames.length).toBe(6);
});

test('closes with 1009 on a client frame of more than 512 bytes, and not before', async () => {
  await using emulator = await startWorld();
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  socket.socket.send('x'.repeat(512));
  await emulator.receive(account, texts(1)[0] ?? '');
  await expect.poll(() => socket.frames.length).toBe(1);
  socket.socket.send('x'.repeat(513));
  expect(await socket.closed).toBe(1009);
});

test('cuts its connections without a close frame when the process ends', async () => {
  await using emulator = await startWorld();
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  await emulator.exitProcess();
  expect(await socket.closed).toBe(1006);
});

test('stops fetching when the pipe to a stuck webhook is full, and fetches the rest later', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url, socketBufferBytes: 20_000 });
  webhook.hold();
  const burst = emulator.receiveBurst(account, texts(100, 1000));
  await expect.poll(() => webhook.posts.length).toBe(1);
  expect(emulator.history.length).toBeLessThan(30);
  expect(emulator.messages).toHaveLength(100);
  webhook.release();
  await burst;
  expect(emulator.history).toHaveLength(100);
  expect(webhook.posts).toHaveLength(100);
});
