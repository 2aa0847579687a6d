// SPDX-License-Identifier: AGPL-3.0-or-later

import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { Failure } from '../../../src/base/failure.ts';
import { incoming } from '../../emulators/signal/envelopes.ts';
import { account, dana, texts } from '../../emulators/signal/test-world.ts';
import { MemorySink } from '../../support/memory-sink.ts';
import { Capturing } from './harness.ts';
import { eventually } from '../../support/eventually.ts';

const frame = (text: string, at = 1_786_000_000_000): string =>
  `{"envelope":{"sourceUuid":"${dana.uuid}","sourceDevice":1,"timestamp":${at},"dataMessage":{"timestamp":${at},"message":"${text}"}},"account":"${account}"}`;
const line = (params: string): string => `{"jsonrpc":"2.0","method":"receive","params":${params}}\n`;

async function post(capturing: Capturing, body: string | Uint8Array, init: RequestInit = {}): Promise<number> {
  const url = capturing.session.webhookUrl ?? '';
  const response = await fetch(url, { method: 'POST', body: Buffer.from(body), ...init });
  expect(await response.text()).toBe('');
  return response.status;
}

const webhookOnly = { intakes: ['webhook'] } as const;

test('answers 200 only after the delivery is durable', async () => {
  const capturing = await Capturing.start(webhookOnly);
  const held = Promise.withResolvers<void>();
  capturing.sink.obstacle = (captures) => (captures.some(({ via }) => via === 'webhook') ? held.promise : undefined);
  let status: number | null = null;
  const posted = post(capturing, line(frame('x'))).then((code) => (status = code));
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect([status, capturing.sink.messages.length]).toEqual([null, 0]);
  held.resolve();
  await posted;
  expect([status, capturing.sink.messages.length]).toEqual([200, 1]);
});

test('holds the request while the spool is full, and takes it when there is room again', async () => {
  const capturing = await Capturing.start(webhookOnly);
  await eventually(() => capturing.state).toBe('capturing');
  const room = Promise.withResolvers<void>();
  capturing.sink.gate = room.promise;
  const statuses: number[] = [];
  const posted = post(capturing, line(frame('x'))).then((code) => statuses.push(code));
  await eventually(() => capturing.session.health(account).reasons).toContain('spool-waiting');
  expect(statuses).toEqual([]);
  room.resolve();
  await posted;
  expect(statuses).toEqual([200]);
  await eventually(() => capturing.state).toBe('capturing');
});

test('keeps malformed, empty-handed and unknown bodies as they came, for the only account there is', async () => {
  const capturing = await Capturing.start(webhookOnly);
  const bodies = [
    'not JSON',
    '{"method":"receive"',
    '{"jsonrpc":"2.0","method":"other","params":{}}',
    '[1,2]',
    '\ufeff{}',
    '"x"',
  ];
  for (const body of bodies) expect(await post(capturing, body)).toBe(200);
  expect(await post(capturing, Buffer.from([0xff, 0x00, 0x7b]))).toBe(200);
  const raws = capturing.sink.messages.map(({ raw }) => Buffer.from(raw).toString());
  expect(raws.slice(0, -1)).toEqual(bodies);
  expect(capturing.sink.messages.at(-1)?.raw).toEqual(Buffer.from([0xff, 0x00, 0x7b]));
  expect(capturing.sink.ofKind('unknown')).toHaveLength(bodies.length + 1);
  expect(capturing.events.alarms.filter(({ reason }) => reason === 'malformed')).toHaveLength(bodies.length + 1);
});

test('has nothing to keep of an empty body', async () => {
  const capturing = await Capturing.start(webhookOnly);
  expect(await post(capturing, '')).toBe(400);
  expect(capturing.sink.messages).toEqual([]);
});

test('takes a body of any content type, or of none', async () => {
  const capturing = await Capturing.start(webhookOnly);
  for (const [at, type] of ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'x'].entries()) {
    expect(await post(capturing, line(frame('x', 1_786_000_000_000 + at)), { headers: { 'content-type': type } })).toBe(
      200,
    );
  }
  const body = line(frame('x', 1_786_000_000_009));
  const { hostname, port } = new URL(capturing.session.webhookUrl ?? '');
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    );
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString())).on('end', () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1.1 200/);
  expect(capturing.sink.ofKind('message')).toHaveLength(5);
});

test('answers 500 to a message for an account that nobody archives, and says so', async () => {
  const capturing = await Capturing.start(webhookOnly);
  const foreign = line(frame('x').replace(account, '+12025550999'));
  expect(await post(capturing, foreign)).toBe(500);
  expect(capturing.sink.messages).toEqual([]);
  expect(capturing.events.alarms).toEqual([{ account: null, reason: 'unknown-account', count: undefined }]);
});

test('with several accounts, files each message under its own and refuses what names none', async () => {
  const other = '+12025550101';
  const sinks = new Map([
    [account, new MemorySink()],
    [other, new MemorySink()],
  ]);
  const capturing = await Capturing.start({ ...webhookOnly, accounts: sinks });
  expect(await post(capturing, line(frame('a')))).toBe(200);
  expect(await post(capturing, line(frame('b').replace(account, other)))).toBe(200);
  expect(await post(capturing, 'not JSON')).toBe(500);
  expect(await post(capturing, `{"jsonrpc":"2.0","method":"other","params":{"account":"${other}"}}`)).toBe(200);
  expect(sinks.get(account)?.messages.map(({ view }) => view.kind)).toEqual(['message']);
  expect(sinks.get(other)?.messages.map(({ view }) => view.kind)).toEqual(['message', 'unknown']);
  expect(capturing.events.alarmed('unattributed')).toBe(true);
});

test('records a body over the bound as a gap, by count', async () => {
  const capturing = await Capturing.start({ ...webhookOnly, settings: { limits: { body: '4KiB' } } });
  expect(await post(capturing, line(frame('x'.repeat(5000))))).toBe(413);
  expect(await post(capturing, line(frame('fits')))).toBe(200);
  expect(capturing.sink.gaps).toMatchObject([{ cause: 'oversized', scope: 'account', state: 'final', count: 1 }]);
  expect(capturing.events.alarmed('oversized')).toBe(true);
});

test('knows one path and one method, and tells operators when messages come elsewhere', async () => {
  const capturing = await Capturing.start(webhookOnly);
  const url = capturing.session.webhookUrl ?? '';
  expect((await fetch(`${url}elsewhere`, { method: 'POST', body: line(frame('x')) })).status).toBe(404);
  expect((await fetch(url)).status).toBe(404);
  expect(capturing.events.alarms.map(({ reason }) => reason)).toEqual(['webhook-path']);
});

test('records a message that comes twice once, and messages out of order in the order they come', async () => {
  const capturing = await Capturing.start(webhookOnly);
  for (const at of [3, 1, 2, 1, 3]) expect(await post(capturing, line(frame(`${at}`, at)))).toBe(200);
  expect(capturing.sink.messages.map(({ view }) => view.sentAtMs)).toEqual([3, 1, 2]);
});

test('keeps both where two frames of one identity differ in their bytes', async () => {
  const capturing = await Capturing.start(webhookOnly);
  await post(capturing, line(frame('one', 7)));
  await post(capturing, line(frame('two', 7)));
  expect(capturing.sink.ofKind('message').map(({ content }) => content.text)).toEqual(['one', 'two']);
  expect(capturing.sink.sightings(0).differing).toBe(1);
});

test('does not answer 200 to what the spool refuses to store, and keeps its bytes as unknown where it can', async () => {
  const capturing = await Capturing.start(webhookOnly);
  capturing.sink.obstacle = (captures) => {
    if (captures.some((one) => one.type === 'content' && one.view.kind === 'message'))
      throw new TypeError('no such view');
  };
  expect(await post(capturing, line(frame('x')))).toBe(200);
  expect(capturing.sink.messages.map(({ view, raw }) => [view.kind, Buffer.from(raw).toString()])).toEqual([
    ['unknown', frame('x')],
  ]);
  expect(capturing.events.alarmed('refused-by-spool')).toBe(true);
  capturing.sink.obstacle = (captures) => {
    if (captures.some(({ via }) => via === 'webhook')) throw new TypeError('nothing at all');
  };
  expect(await post(capturing, line(frame('y')))).toBe(500);
});

test('does not refuse what arrives together with something that the spool refuses', async () => {
  const capturing = await Capturing.start(webhookOnly);
  const held = Promise.withResolvers<void>();
  capturing.sink.obstacle = async (captures) => {
    if (captures.some(({ via }) => via === 'webhook')) await held.promise;
    if (captures.some((one) => JSON.stringify(one.view).includes('bad'))) throw new TypeError('no such view');
  };
  const posts = ['first', 'bad', 'good'].map((text, at) => post(capturing, line(frame(text, 100 + at))));
  await new Promise((resolve) => setTimeout(resolve, 200));
  held.resolve();
  expect(await Promise.all(posts)).toEqual([200, 200, 200]);
  expect(capturing.sink.ofKind('message').map(({ content }) => content.text)).toEqual(['first', 'good']);
  expect(capturing.sink.ofKind('unknown')).toHaveLength(1);
});

test('ends the session when the outcome of a delivery is unknown, and does not answer 200', async () => {
  const capturing = await Capturing.start(webhookOnly);
  await eventually(() => capturing.state).toBe('capturing');
  capturing.sink.obstacle = () => {
    throw new Failure('spool/commit', { expected: 'a durable commit', got: 'EIO' });
  };
  const status = await post(capturing, line(frame('x'))).catch(() => 0);
  expect(status).not.toBe(200);
  await expect(capturing.ended).rejects.toThrow('spool/commit');
  expect(capturing.state).toBe('stopped');
});

test('goes on by itself when the spool can deliver again', async () => {
  const capturing = await Capturing.start(webhookOnly);
  let left = 3;
  capturing.sink.obstacle = (captures) => {
    if (captures.some(({ via }) => via === 'webhook') && left-- > 0) {
      throw new Failure('spool/no-stream', { expected: 'an open stream', got: 'none' });
    }
  };
  expect(await post(capturing, line(frame('x')))).toBe(200);
  expect(capturing.sink.messages).toHaveLength(1);
  expect(capturing.events.troubles).toContainEqual({ reason: 'deliver', code: 'spool/no-stream' });
});

test('slows the back end down instead of losing, while each delivery takes its time (L5)', async () => {
  const capturing = await Capturing.start(webhookOnly);
  capturing.sink.obstacle = (captures) =>
    captures.some(({ via }) => via === 'webhook') ? new Promise((resolve) => setTimeout(resolve, 5)) : undefined;
  await capturing.emulator.receiveBurst(account, texts(100));
  expect(capturing.sink.messages).toHaveLength(100);
  expect(capturing.emulator.history.every(({ webhook }) => webhook.accepted === 1)).toBe(true);
});

test('fails for good when its port is taken', async () => {
  const first = await Capturing.start(webhookOnly);
  const port = Number(new URL(first.session.webhookUrl ?? '').port);
  const second = new Capturing(first.emulator, { ...webhookOnly, settings: { webhook: { port } } });
  await second.run();
  await expect(second.ended).rejects.toThrow('signal/listen');
});

test('listens before it asks anything, and goes on listening while the back end is away', async () => {
  const capturing = await Capturing.start(webhookOnly);
  await capturing.emulator.exitProcess();
  expect(await post(capturing, line(frame('x')))).toBe(200);
  await capturing.emulator.startProcess({ redialMs: 0 });
  await capturing.emulator.receive(account, incoming(dana, 1_786_000_000_500, { text: 'again' }));
  await eventually(() => capturing.sink.ofKind('message').length).toBe(2);
});
