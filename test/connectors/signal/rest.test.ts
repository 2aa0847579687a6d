// SPDX-License-Identifier: AGPL-3.0-or-later

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { codeOf } from '../../../src/base/failure.ts';
import { Rest } from '../../../src/connectors/signal/rest.ts';
import { account, startWorld } from '../../emulators/signal/test-world.ts';

const signal = new AbortController().signal;

function restTo(api: string, over: Partial<ConstructorParameters<typeof Rest>[0]> = {}): Rest {
  return new Rest({ api, timeoutMs: 200, retryMs: 10, attachmentIdleMs: 200, ...over });
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function codeFrom(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'none',
    (error: unknown) => codeOf(error),
  );
}

test('repeats a call whose answer got lost, once', async () => {
  await using emulator = await startWorld();
  emulator.faults.hangAnswers(1);
  const { json } = await restTo(emulator.url).get('v1/accounts', signal);
  expect(json).toEqual([account]);
  emulator.faults.hangAnswers(2);
  expect(await codeFrom(restTo(emulator.url).get('v1/accounts', signal))).toBe('signal/timeout');
});

test('knows the empty 500 of a REST process without its daemon', async () => {
  await using emulator = await startWorld();
  emulator.faults.failAnswers(2);
  expect(await codeFrom(restTo(emulator.url).get('v1/accounts', signal))).toBe('signal/daemon-away');
});

test('knows an account that signal-cli does not have, whichever status says so', async () => {
  await using emulator = await startWorld();
  const rest = restTo(emulator.url);
  for (const route of ['devices', 'contacts', 'groups', 'identities']) {
    expect(await codeFrom(rest.get(`v1/${route}/${encodeURIComponent('+12025550777')}`, signal))).toBe(
      'signal/account-unknown',
    );
  }
});

test('makes one call at a time', async () => {
  let open = 0;
  let most = 0;
  const api = await serve((_request, response) => {
    most = Math.max(most, (open += 1));
    setTimeout(() => {
      open -= 1;
      response.setHeader('content-type', 'application/json').end('[]');
    }, 10);
  });
  const rest = restTo(api);
  await Promise.all(Array.from({ length: 10 }, () => rest.get('v1/accounts', signal)));
  expect(most).toBe(1);
});

test('reads integers that a double cannot hold', async () => {
  const api = await serve((_request, response) => response.end('{"id":11240984669916585193}'));
  expect((await restTo(api).get('v1/about', signal)).json).toEqual({ id: 11240984669916585193n });
});

test('names no number, no body and no file in its failures, not even in their causes', async () => {
  const marker = 'secret-body';
  const api = await serve((_request, response) => response.writeHead(418).end(`{"error":"${marker} +12025550100"}`));
  const rest = restTo(api);
  const path = `v1/groups/${encodeURIComponent(account)}`;
  const hanging = await serve(() => undefined);
  const talking = await serve((_request, response) => response.end('not JSON'));
  const settled = await Promise.allSettled([
    rest.get(path, signal),
    rest.attachment('file-name.jpg', signal),
    rest.removeAttachment('file-name.jpg', signal),
    restTo('http://127.0.0.1:9').get(path, signal),
    restTo(hanging).get(path, signal),
    restTo(talking).get(path, signal),
  ]);
  const errors = settled.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
  expect(errors).toHaveLength(6);
  const shown = inspect(errors, { depth: 10 });
  for (const secret of [marker, '12025550100', 'file-name']) expect(shown).not.toContain(secret);
  expect(errors.map(codeOf)).toEqual([
    'signal/answer',
    'signal/answer',
    'signal/answer',
    'signal/unreachable',
    'signal/timeout',
    'signal/answer',
  ]);
});

test('does not follow a redirect and uses no proxy of the environment', async () => {
  const api = await serve((_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end());
  expect(await codeFrom(restTo(api).get('v1/accounts', signal))).toBe('signal/answer');
});

test('cuts an attachment off that stops coming, that ends early, or that is too long', async () => {
  const api = await serve((request, response) => {
    response.setHeader('content-length', '100');
    response.write('x'.repeat(50));
    if (request.url?.endsWith('/stalls') === true) return;
    if (request.url?.endsWith('/breaks') === true) setTimeout(() => response.destroy(), 20);
    else response.end('x'.repeat(50));
  });
  const rest = restTo(api);
  const read = async (id: string, most = 1000): Promise<number> => {
    const body = await rest.attachment(id, signal);
    if (body === null) return -1;
    let size = 0;
    for await (const piece of rest.read(body, most)) size += piece.length;
    return size;
  };
  expect(await read('whole')).toBe(100);
  expect(await codeFrom(read('stalls'))).toBe('signal/attachment-cut');
  expect(await codeFrom(read('breaks'))).toBe('signal/attachment-cut');
  expect(await codeFrom(read('whole', 80))).toBe('signal/attachment-oversized');
});

test('ends at once when the session stops', async () => {
  const stop = new AbortController();
  const call = codeFrom(restTo(await serve(() => undefined), { timeoutMs: 60_000 }).get('v1/accounts', stop.signal));
  setTimeout(() => stop.abort(), 20);
  expect(await call).toBe('signal/stopped');
});
