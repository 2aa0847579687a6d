// SPDX-License-Identifier: AGPL-3.0-or-later

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { SignalEmulator } from './emulator.ts';
import { incoming } from './envelopes.ts';
import { reached } from './history.ts';
import { journalMessages, SocketReader, WebhookReceiver } from './intakes.ts';
import { account, dana, groupId, kessler, startWorld, texts } from './test-world.ts';

const one = incoming(dana, 1_786_000_000_000, { text: 'one' });

async function body(url: string): Promise<string> {
  return await (await fetch(url)).text();
}

interface OpenRequest extends AsyncDisposable {
  readonly isAnswered: boolean;
}

/** Sends a request that is not waited for, and returns once the server has it. */
async function ask(emulator: SignalEmulator, path: string): Promise<OpenRequest> {
  const client = new AbortController();
  const before = emulator.requests.length;
  let isAnswered = false;
  const answer = fetch(`${emulator.url}${path}`, { signal: client.signal }).then(
    () => (isAnswered = true),
    () => undefined,
  );
  await expect.poll(() => emulator.requests.length).toBeGreaterThan(before);
  return {
    get isAnswered(): boolean {
      return isAnswered;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      client.abort();
      await answer;
    },
  };
}

test('never answers the calls it was told to hang, and answers the next', async () => {
  await using emulator = await startWorld();
  emulator.faults.hangAnswers(2);
  await using first = await ask(emulator, '/v1/accounts');
  expect(await body(`${emulator.url}/v1/attachments`)).toBe('[]');
  await using second = await ask(emulator, `/v1/devices/${account}`);
  expect(await body(`${emulator.url}/v1/accounts`)).toBe(`["${account}"]`);
  emulator.faults.hangAnswers(1, /attachments/);
  await using third = await ask(emulator, '/v1/attachments/x');
  expect(await body(`${emulator.url}/v1/attachments`)).toBe('[]');
  expect([first.isAnswered, second.isAnswered, third.isAnswered]).toEqual([false, false, false]);
  expect(emulator.requests.map((request) => request.status)).toEqual([null, 200, null, 200, null, 200]);
});

test('answers 500 without a body where told to', async () => {
  await using emulator = await startWorld();
  emulator.faults.failAnswers(1);
  const response = await fetch(`${emulator.url}/v1/accounts`);
  expect([response.status, await response.text(), response.headers.get('content-type')]).toEqual([500, '', null]);
  expect((await fetch(`${emulator.url}/v1/accounts`)).status).toBe(200);
});

test('makes an unlinked account vanish while its socket stays open and silent', async () => {
  await using emulator = await startWorld();
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  emulator.unlink(account);
  expect(await body(`${emulator.url}/v1/accounts`)).toBe('[]');
  expect((await fetch(`${emulator.url}/v1/devices/${account}`)).status).toBe(400);
  expect(await emulator.receive(account, one)).toMatchObject({ state: 'undeliverable', journal: 0 });
  expect([emulator.webSocketCount, socket.frames.length]).toEqual([1, 0]);
  expect(emulator.history).toEqual([]);
  emulator.relink(account);
  await emulator.receive(account, one);
  await expect.poll(() => socket.frames.length).toBe(1);
});

test('gives messages that come during a daemon restart to the journal alone', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  emulator.stopDaemon();
  const waiting = await emulator.receive(account, one);
  expect(waiting.state).toBe('on-server');
  expect((await fetch(`${emulator.url}/v1/accounts`)).status).toBe(500);
  emulator.startDaemon({ redialMs: 30 });
  expect(waiting).toMatchObject({ state: 'acknowledged', journal: 1, webhook: { accepted: 0, failed: 0 } });
  await expect.poll(async () => (await fetch(`${emulator.url}/v1/accounts`)).status).toBe(200);
  await emulator.receive(account, one);
  await expect.poll(() => socket.frames.length).toBe(1);
  expect([webhook.posts.length, emulator.webSocketCount]).toEqual([1, 1]);
});

test('leaves calls that are pending over a daemon restart hanging', async () => {
  await using emulator = await startWorld();
  emulator.faults.daemonLatencyMs = Infinity;
  await using pending = await ask(emulator, '/v1/accounts');
  await delay(30);
  emulator.restartDaemon({ redialMs: 0 });
  emulator.faults.daemonLatencyMs = 0;
  expect(await body(`${emulator.url}/v1/accounts`)).toBe(`["${account}"]`);
  await delay(30);
  expect(pending.isAnswered).toBe(false);
});

test('ends the process when the daemon stays away', async () => {
  await using emulator = await startWorld({ redialIntervalMs: 2 });
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  emulator.stopDaemon();
  expect(await socket.closed).toBe(1006);
  expect(emulator.exitCode).toBe(1);
  await expect(fetch(`${emulator.url}/v1/about`)).rejects.toThrow(TypeError);
});

test('dies of a QR code version that does not exist', async () => {
  await using emulator = await startWorld();
  await fetch(`${emulator.url}/v1/qrcodelink?device_name=x&qrcode_version=41`).catch(() => undefined);
  await expect.poll(() => emulator.exitCode).toBe(1);
});

test('starts again on the same port with the same files and fetches what waited', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  await emulator.receive(account, one);
  const { url } = emulator;
  await emulator.exitProcess();
  const waiting = await emulator.receive(account, one);
  expect(waiting.state).toBe('on-server');
  await emulator.startProcess({ redialMs: 0 });
  await emulator.whenIdle();
  expect(emulator.url).toBe(url);
  expect(waiting).toMatchObject({ state: 'acknowledged', journal: 1, webhook: { accepted: 1 } });
  expect(journalMessages(emulator.journalPath)).toHaveLength(2);
});

test('loses to the webhook what was acknowledged but unread when the process ended', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  webhook.hold();
  const burst = emulator.receiveBurst(account, texts(5));
  await expect.poll(() => webhook.posts.length).toBe(1);
  await emulator.exitProcess();
  await burst;
  await emulator.startProcess({ redialMs: 0 });
  await emulator.whenIdle();
  expect(emulator.history.filter((message) => reached(message, 'webhook'))).toEqual([]);
  expect(emulator.history.filter((message) => reached(message, 'journal'))).toHaveLength(5);
});

test('acknowledges and loses a message when the daemon crashes before its handlers', async () => {
  await using emulator = await startWorld({ redialIntervalMs: 1 });
  emulator.faults.crashesBeforeHandler = 1;
  const lost = await emulator.receive(account, one);
  expect(lost).toMatchObject({ state: 'acknowledged', dropped: 'crash-before-handler', journal: 0 });
  expect(journalMessages(emulator.journalPath)).toEqual([]);
});

test('rotates out.log as supervisord does and loses no line while backups last', async () => {
  await using emulator = await startWorld({ journalMaxBytes: 3000, journalBackups: 3 });
  const sent = await emulator.receiveBurst(account, texts(60, 100));
  const dir = dirname(emulator.journalPath);
  expect(readdirSync(dir).toSorted()).toEqual(['out.log', 'out.log.1', 'out.log.2', 'out.log.3']);
  const kept = [3, 2, 1].flatMap((number) => journalMessages(`${emulator.journalPath}.${number}`));
  const lines = [...kept, ...journalMessages(emulator.journalPath)];
  expect(lines.length).toBeLessThan(60);
  expect(lines).toEqual(sent.slice(-lines.length).map((message) => message.params));
  expect(statSync(`${emulator.journalPath}.1`).size).toBeGreaterThanOrEqual(3000);
  emulator.rotateJournal();
  expect(readFileSync(emulator.journalPath, 'utf8')).toBe('');
});

test('tears a line longer than a pipe write when the rotation falls into it', async () => {
  await using emulator = await startWorld({ journalMaxBytes: 9000 });
  const { params } = await emulator.receive(account, texts(1, 20_000)[0] ?? '');
  const [rotated, current] = [`${emulator.journalPath}.1`, emulator.journalPath].map((path) =>
    readFileSync(path, 'utf8'),
  );
  expect(rotated).not.toMatch(/\n$/);
  expect(`${rotated}${current}`).toContain(`${params}\n`);
});

test('interleaves log lines and writes what a test wants into out.log, or nothing', async () => {
  await using emulator = await startWorld();
  emulator.faults.journalNoiseEvery = 2;
  for (const payload of texts(4)) await emulator.receive(account, payload);
  emulator.writeJournal('{"envelope":{"torn');
  const lines = readFileSync(emulator.journalPath, 'utf8').split('\n');
  expect(lines.map((line) => line.slice(0, 4))).toEqual([
    'INFO',
    '{"en',
    'WARN',
    'INFO',
    '{"en',
    '{"en',
    'WARN',
    'INFO',
    '{"en',
    '{"en',
  ]);
  emulator.faults.journalDisabled = true;
  expect(await emulator.receive(account, one)).toMatchObject({ state: 'acknowledged', journal: 0 });
});

test('lets attachments be missing, short or late', async () => {
  await using emulator = await startWorld();
  const listed = ['gone', 'short', 'late'].map((id) => ({ id, contentType: 'image/jpeg', size: 100 }));
  await emulator.receive(account, incoming(dana, 1, { attachments: listed }), {
    attachments: [
      { id: 'gone', arrival: 'never' },
      { id: 'short', arrival: { truncatedTo: 40 } },
      { id: 'late', arrival: { afterMs: 20 } },
    ],
  });
  const length = async (id: string): Promise<number> => {
    const response = await fetch(`${emulator.url}/v1/attachments/${id}`);
    return response.status === 200 ? (await response.arrayBuffer()).byteLength : -response.status;
  };
  expect([await length('gone'), await length('short')]).toEqual([-404, 40]);
  await expect.poll(() => length('late')).toBe(100);
});

test('skips the webhook, and hands a message on twice', async () => {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startWorld({ webhookUrl: webhook.url });
  emulator.faults.webhookSkips = 1;
  expect(await emulator.receive(account, one)).toMatchObject({ journal: 1, webhook: { accepted: 0, failed: 0 } });
  expect(await emulator.receive(account, one, { copies: 2 })).toMatchObject({ journal: 2, webhook: { accepted: 2 } });
  expect(new Set(webhook.params).size).toBe(1);
});

test('shows a message that cannot be decrypted as an exception, and the message itself when it is sent again', async () => {
  await using emulator = await startWorld();
  const { gap, resend } = await emulator.receiveUndecryptable(account, one);
  expect(gap.params).toMatch(
    /^\{"exception":\{.*"type":"ProtocolInvalidMessageException"\},"envelope":\{.*\},"account":/,
  );
  expect(gap.params).not.toContain('dataMessage');
  const message = await resend();
  expect([message.timestamp, message.params.includes('"message":"one"')]).toEqual([gap.timestamp, true]);
});

test('drops what blocked contacts, blocked groups and strangers to a group send, without a frame', async () => {
  await using emulator = await startWorld();
  const group = { internalId: groupId, name: 'x', revision: 1 };
  const inGroup = incoming(kessler, 2, { text: 'x', group });
  emulator.blockContact(account, dana.uuid);
  expect(await emulator.receive(account, one)).toMatchObject({ state: 'acknowledged', dropped: 'blocked-contact' });
  emulator.unblockContact(account, dana.uuid);
  expect(await emulator.receive(account, one)).toMatchObject({ dropped: null, journal: 1 });
  emulator.updateGroup(account, groupId, { blocked: true });
  expect(await emulator.receive(account, inGroup)).toMatchObject({ dropped: 'blocked-group', journal: 0 });
  emulator.updateGroup(account, groupId, { blocked: false, members: [] });
  expect(await emulator.receive(account, inGroup)).toMatchObject({ dropped: 'not-a-member', journal: 0 });
  expect(readFileSync(emulator.journalPath, 'utf8')).toContain(
    'INFO  IncomingMessageHandler - Ignoring a message from',
  );
});

test('withholds messages under an untrusted key and hands them on once it is trusted', async () => {
  await using emulator = await startWorld();
  emulator.changeIdentity(account, dana.uuid);
  const withheld = await emulator.receive(account, one);
  expect(withheld).toMatchObject({ state: 'acknowledged', dropped: 'untrusted-identity', journal: 0 });
  expect(journalMessages(emulator.journalPath).join('')).toContain(`Untrusted identity: ${dana.uuid}`);
  const url = `${emulator.url}/v1/identities/${account}/trust/${dana.number}`;
  await fetch(url, { method: 'PUT', body: '{"trust_all_known_keys":true}' });
  await emulator.receive(account, incoming(kessler, 3, { text: 'next' }));
  expect(withheld).toMatchObject({ dropped: null, journal: 1 });
});

test('hands on everything under any key when the daemon trusts always', async () => {
  await using emulator = await startWorld({ trustNewIdentities: 'always' });
  emulator.changeIdentity(account, dana.uuid);
  expect(await emulator.receive(account, one)).toMatchObject({ dropped: null, journal: 1 });
});

test('keeps messages on the server while Signal is out of reach', async () => {
  await using emulator = await startWorld();
  emulator.faults.signalReachable = false;
  const message = await emulator.receive(account, one);
  expect(message.state).toBe('on-server');
  expect((await fetch(`${emulator.url}/v1/devices/${account}`)).status).toBe(400);
  expect((await fetch(`${emulator.url}/v1/accounts`)).status).toBe(200);
  emulator.faults.signalReachable = true;
  expect(message.state).toBe('acknowledged');
});
