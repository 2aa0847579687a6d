// SPDX-License-Identifier: AGPL-3.0-or-later

import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startSignalEmulator } from './emulator.ts';
import { frameOf } from './frame.ts';
import { encodeGo, encodeJackson, type JsonValue } from './json.ts';
import { inJacksonOrder } from './member-order.ts';
import { SocketReader, WebhookReceiver } from './intakes.ts';
import { temporaryDir } from './test-world.ts';

const account = '+12025550100';
const head =
  '"source":"+12025550171","sourceNumber":"+12025550171","sourceUuid":"b5c1d9f4-6f39-4d2b-8a0e-3a2f3c9d7711","sourceName":"Dana Ortiz","sourceDevice":1,"timestamp":1786000061013,"serverReceivedTimestamp":1786000061200,"serverDeliveredTimestamp":1786000061425';
const data = '"expiresInSeconds":0,"isExpirationUpdate":false,"viewOnce":false';

/** One line each; what is hard about it first. */
const ownPayloads: readonly string[] = [
  // Characters that an HTML-safe encoder, a URL or a careless splitter would touch.
  `{"envelope":{${head},"dataMessage":{"timestamp":1786000061013,"message":"a & b <c> \\" \\\\ \u2028 ☎ 🤝 \\u0007 \\/",${data}}},"account":"${account}"}`,
  // An unsigned 64-bit id beyond what a double holds.
  `{"envelope":{${head},"callMessage":{"offerMessage":{"id":18446744073709551615,"type":"AUDIO_CALL","opaque":"CAES"}}},"account":"${account}"}`,
  // Numbers and spacing that a parse and re-encode would not give back.
  `{ "envelope": {${head},"dataMessage":{"timestamp":1.786000061013E12,"message":null,${data}}}, "account": "${account}" }`,
  // A member that no version knows.
  `{"envelope":{${head},"dataMessage":{"timestamp":1786000061013,"message":"x",${data},"futureMember":{"z":1,"a":[2]}}},"account":"${account}"}`,
  // Longer than a pipe takes in one piece.
  `{"envelope":{${head},"dataMessage":{"timestamp":1786000061013,"message":"${'é'.repeat(20_000)}",${data}}},"account":"${account}"}`,
  `{"exception":{"message":"Untrusted identity: b5c1d9f4-6f39-4d2b-8a0e-3a2f3c9d7711","type":"UntrustedIdentityException"},"envelope":{${head}},"account":"${account}"}`,
  `{"envelope":{${head},"syncMessage":{}},"account":"${account}"}`,
];

const corpus = new URL('../../../../shared/fixtures/signal-envelopes.jsonl', import.meta.url);

/** Payloads of the research corpus as their exact text: each line ends with its payload. Without the corpus, our own. */
function corpusPayloads(): readonly string[] {
  if (!existsSync(corpus)) return ownPayloads;
  const lines = readFileSync(corpus, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => line.slice(line.indexOf('"payload":') + 10, -1));
}

async function checkAllIntakes(payloads: readonly string[]): Promise<void> {
  await using webhook = await WebhookReceiver.start();
  await using emulator = await startSignalEmulator({
    dataDir: await temporaryDir(),
    accounts: [{ number: account }],
    webhookUrl: webhook.url,
  });
  using socket = await SocketReader.open(emulator.webSocketUrl(account));
  for (const payload of payloads) await emulator.receive(account, payload);
  await expect.poll(() => socket.frames.length).toBe(payloads.length);
  expect(socket.frames).toEqual(payloads);
  expect(webhook.params).toEqual(payloads);
  expect(webhook.posts.map((post) => post.body)).toEqual(
    payloads.map((payload) => `{"jsonrpc":"2.0","method":"receive","params":${payload}}\n`),
  );
  expect(readFileSync(emulator.journalPath, 'utf8')).toContain(payloads.map((payload) => `${payload}\n`).join(''));
  expect(emulator.history.map((message) => message.params)).toEqual(payloads);
}

test('gives each of the own payloads to all three intakes byte for byte', async () => {
  await checkAllIntakes(ownPayloads);
});

test('gives all payloads of the corpus to all three intakes byte for byte', async () => {
  await checkAllIntakes(corpusPayloads());
});

test('brings the members of an object payload into the order of signal-cli', () => {
  for (const text of [...corpusPayloads(), ...ownPayloads].filter((one) => !/[0-9]{17}|E12/.test(one))) {
    const shuffled = reversedMembers(JSON.parse(text) as JsonValue) as Parameters<typeof inJacksonOrder>[0];
    const compact = JSON.stringify(JSON.parse(text));
    // Kinds without a known order keep the order in which they were written, here reversed: compare what is ordered.
    expect(topLevels(encodeJackson(inJacksonOrder(shuffled)))).toEqual(topLevels(compact));
  }
});

test('writes 64-bit integers, control characters and HTML characters as the real encoders do', () => {
  expect(encodeJackson({ id: 11240984669916585193n, text: '\u001b&\\u001b', gone: undefined, nothing: null })).toBe(
    '{"id":11240984669916585193,"text":"\\u001B&\\\\u001b","nothing":null}',
  );
  expect(encodeGo({ uri: 'a?b&c<d>\u2028' })).toBe('{"uri":"a?b\\u0026c\\u003cd\\u003e\\u2028"}');
});

test('refuses a payload that is not for the account, spans lines or has no envelope', () => {
  expect(() => frameOf('+12025550199', ownPayloads[0] ?? '')).toThrow(TypeError);
  expect(() => frameOf(account, `{"envelope":{},\n"account":"${account}"}`)).toThrow(TypeError);
  expect(() => frameOf(account, `{"account":"${account}"}`)).toThrow(TypeError);
});

function reversedMembers(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([name, member]) => [name, reversedMembers(member ?? null)]));
}

/** The member names of the kinds whose order matters, as text positions give them. */
function topLevels(text: string): string[][] {
  const payload = JSON.parse(text) as Record<string, Record<string, Record<string, Record<string, object>>>>;
  const envelope = payload['envelope'] ?? {};
  const content = envelope['dataMessage'] ?? envelope['syncMessage']?.['sentMessage'] ?? {};
  return [payload, envelope, content].map((object) => Object.keys(object).filter((name) => name !== 'futureMember'));
}
