// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { reached } from './history.ts';
import { account, startWorld, texts } from './test-world.ts';

async function get(url: string): Promise<readonly [number, string | null, string]> {
  const response = await fetch(url);
  return [response.status, response.headers.get('content-type'), await response.text()];
}

const json = 'application/json; charset=utf-8';
const text = 'text/plain; charset=utf-8';

test('checks the parameters of a receive in the order and words of the real server', async () => {
  await using emulator = await startWorld({ mode: 'normal' });
  const url = `${emulator.url}/v1/receive/${account}`;
  const wrong = "Couldn't process request - ";
  for (const [query, error] of [
    ['timeout=x&max_messages=x', 'timeout needs to be numeric!'],
    ['max_messages=1.5', 'max_messages needs to be numeric!'],
    ['ignore_attachments=1', "ignore_attachments parameter needs to be either 'true' or 'false'"],
    ['send_read_receipts=', "send_read_receipts parameter needs to be either 'true' or 'false'"],
  ]) {
    expect(await get(`${url}?${query}`)).toEqual([400, json, JSON.stringify({ error: `${wrong}${error}` })]);
  }
  expect((await get(`${emulator.url}/v1/about`))[2]).toContain('"mode":"normal"');
});

test('answers with the messages as text, up to the number asked for', async () => {
  await using emulator = await startWorld({ mode: 'normal' });
  const url = `${emulator.url}/v1/receive/${account}?timeout=1&max_messages=3`;
  const sent = await emulator.receiveBurst(account, texts(4));
  expect(sent.map((message) => message.state)).toEqual(Array.from({ length: 4 }, () => 'on-server'));
  const expected = sent.map((message) => message.params);
  expect(await get(url)).toEqual([200, text, `[${expected.slice(0, 3).join(',')}]`]);
  expect((await get(url))[2]).toBe(`[${expected[3]}]`);
  expect(await get(url.replace('timeout=1', 'timeout=0'))).toEqual([200, text, '[]']);
  await expect.poll(() => emulator.history.every((message) => reached(message, 'receive-api'))).toBe(true);
});

test('splices error lines into the array and drops INFO and WARN lines', async () => {
  await using emulator = await startWorld({ mode: 'normal' });
  const url = `${emulator.url}/v1/receive/${account}?max_messages=1`;
  emulator.faults.receiveErrorLine = 'ERROR something';
  const [message] = await emulator.receiveBurst(account, texts(1));
  const params = message?.params;
  expect(await get(url)).toEqual([200, text, `[${params},ERROR something]`]);
  emulator.faults.receiveErrorLine = 'WARN  something';
  await emulator.receiveBurst(account, texts(1));
  expect((await get(url))[2]).toBe(`[${params}]`);
});

test('puts acknowledged messages into the error text when signal-cli fails after printing them', async () => {
  await using emulator = await startWorld({ mode: 'normal' });
  emulator.faults.receiveExitsNonZero = true;
  emulator.faults.receiveErrorLine = 'Error while receiving messages';
  const [message] = await emulator.receiveBurst(account, texts(1));
  const [status, type, body] = await get(`${emulator.url}/v1/receive/${account}?max_messages=1`);
  expect([status, type]).toEqual([400, json]);
  expect(JSON.parse(body)).toEqual({ error: `${message?.params}\nError while receiving messages\n` });
  expect(message).toMatchObject({ state: 'acknowledged', receiveApi: 0 });
});

test('loses the batch when the command takes too long', async () => {
  await using emulator = await startWorld({ mode: 'normal', commandTimeoutMs: 30 });
  emulator.faults.receiveTakesMs = 1000;
  const [message] = await emulator.receiveBurst(account, texts(1));
  expect(await get(`${emulator.url}/v1/receive/${account}?max_messages=1`)).toEqual([
    400,
    json,
    '{"error":"process killed as timeout reached"}',
  ]);
  expect(message).toMatchObject({ state: 'acknowledged', receiveApi: 0 });
});

test('refuses a number that is not registered', async () => {
  await using emulator = await startWorld({ mode: 'normal' });
  expect(await get(`${emulator.url}/v1/receive/+1999`)).toEqual([
    400,
    json,
    '{"error":"User +1999 is not registered.\\n"}',
  ]);
});
