// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, expect, it } from 'vitest';
import { forkWhatsAppEmulator } from './process.ts';
import { StockClient } from './stock-client.ts';
import { trustEmulator } from './trust.ts';

const BOB = '15550002222';
const ACCOUNTS = 200;

let distrust: () => void = () => undefined;
afterEach(() => distrust());

it('serves 200 accounts at once, each with its own queue and book', async () => {
  const numbers = Array.from({ length: ACCOUNTS }, (_, index) => `1555001${String(index).padStart(4, '0')}`);
  await using emulator = await forkWhatsAppEmulator({
    accounts: numbers.map((number) => ({ number })),
    people: [{ number: BOB }],
  });
  distrust = trustEmulator(emulator.noiseRoot);
  const clients: StockClient[] = [];
  for (const number of numbers) {
    clients.push(new StockClient({ url: emulator.url, state: await emulator.linkReady(number, { preKeys: 6 }) }));
  }
  await Promise.all(clients.map((client) => client.opened()));
  for (const to of numbers) await emulator.send({ to, from: BOB, message: { conversation: `for ${to}` } });
  await Promise.all(numbers.map((number) => emulator.drained(number)));
  const receipted = await emulator.receipted();
  expect(receipted.map(({ number, text }) => `${number} ${text}`)).toEqual(numbers.map((to) => `${to} for ${to}`));
  await Promise.all(clients.map((client) => client.end()));
});

it('puts a prepared burst on the wire in order, and paced if asked', async () => {
  await using emulator = await forkWhatsAppEmulator({
    accounts: [{ number: '15550010000' }],
    people: [{ number: BOB }],
  });
  distrust = trustEmulator(emulator.noiseRoot);
  const to = '15550010000';
  const client = new StockClient({ url: emulator.url, state: await emulator.linkReady(to) });
  await client.opened();
  await emulator.prepareBurst({ to, from: [BOB], count: 50, text: 'fast' });
  await emulator.prepareBurst({ to, from: [BOB], count: 5, text: 'slow', perSecond: 100 });
  expect((await emulator.book()).every(({ sent }) => sent === 0)).toBe(true);
  await emulator.release(to);
  await emulator.drained(to);
  await client.until(({ messages }) => messages.length === 55);
  const expected = [
    ...Array.from({ length: 50 }, (_, i) => `fast ${i}`),
    ...Array.from({ length: 5 }, (_, i) => `slow ${i}`),
  ];
  expect(client.texts()).toEqual(expected);
  await client.end();
});
