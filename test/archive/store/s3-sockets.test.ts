// SPDX-License-Identifier: AGPL-3.0-or-later
import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Agents, openAgents } from '../../../src/archive/s3-sockets.ts';
import { openS3Store, UNPROBED } from '../../../src/archive/s3-store.ts';
import { expectFailure } from './subject.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
let server: Server;
let agents: Agents | undefined;

afterEach(() => {
  agents?.close();
  server.close();
});

async function listen(answer: (socket: Socket) => void): Promise<void> {
  server = createServer((socket) => socket.on('error', () => {}).on('data', () => answer(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

async function ask(): Promise<number> {
  const { port } = server.address() as AddressInfo;
  const request = http.get({ port, host: '127.0.0.1', agent: agents?.httpAgent });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  await once(response.resume(), 'end');
  return response.statusCode ?? 0;
}

describe('connections to a bucket', () => {
  it('are used again', async () => {
    let connections = 0;
    await listen((socket) => socket.write(OK));
    server.on('connection', () => (connections += 1));
    agents = openAgents({ maxSockets: 2, connectTimeoutMs: 1_000 });
    for (let round = 0; round < 5; round += 1) expect(await ask()).toBe(200);
    expect(connections).toBe(1);
  });

  it('are closed by us when nobody uses them, before a server does it under a PUT', async () => {
    await listen((socket) => socket.write(OK));
    const connected = once(server, 'connection') as Promise<[Socket]>;
    agents = openAgents({ maxSockets: 2, connectTimeoutMs: 1_000, freeMs: 50 });
    await ask();
    const [socket] = await connected;
    await once(socket, 'end');
    expect(await ask()).toBe(200);
  });

  it('are not cut while an answer takes longer than that', async () => {
    await listen((socket) => void sleep(200).then(() => socket.write(OK)));
    agents = openAgents({ maxSockets: 1, connectTimeoutMs: 1_000, freeMs: 50 });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([200, 200, 200]);
  });

  it('are never more than allowed', async () => {
    let open = 0;
    let most = 0;
    await listen((socket) => void sleep(20).then(() => socket.write(OK)));
    server.on('connection', (socket: Socket) => {
      most = Math.max(most, (open += 1));
      socket.on('close', () => (open -= 1));
    });
    agents = openAgents({ maxSockets: 3, connectTimeoutMs: 1_000 });
    await Promise.all(Array.from({ length: 20 }, ask));
    expect(most).toBe(3);
  });
});

describe('a server that takes connections and does not speak', () => {
  it.each(['https', 'http'])('over %s is given up in time', async (protocol) => {
    await listen(() => {});
    const endpoint = `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const place = { endpoint, region: 'here', bucket: 'bucket', prefix: '', pathStyle: true, maxRetainDays: 1 };
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const timeouts = { connectMs: 200, idleMs: 400, callMs: 2_000 };
    await using mute = await openS3Store({ ...place, credentials, timeouts }, UNPROBED);
    await expectFailure(mute.putDerived('log/o/checkpoint', Buffer.of(1)), 'store/unreachable');
    await expectFailure(mute.read('log/o/segment/0'), 'store/unreachable');
  });
});

describe('a server that sends the whole where a part was asked for', () => {
  it('is refused, and its connection does not stay', async () => {
    await listen((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbeginning'));
    const connected = once(server, 'connection') as Promise<[Socket]>;
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const place = { endpoint, region: 'here', bucket: 'bucket', prefix: '', pathStyle: true, maxRetainDays: 1 };
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const timeouts = { connectMs: 200, idleMs: 60_000, callMs: 60_000 };
    await using store = await openS3Store({ ...place, credentials, timeouts }, UNPROBED);
    const read = async (): Promise<void> => {
      for await (const _ of await store.readFrom('media/x', 'a version', 5));
    };
    const closed = connected.then(([socket]) => once(socket, 'close'));
    await expectFailure(read(), 'store/unreachable');
    await closed;
  });
});
