// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, it } from 'vitest';
import { forkWhatsAppEmulator } from './process.ts';
import { StockClient } from './stock-client.ts';
import { trustEmulator } from './trust.ts';

const AGENCY = '15550001111';
const BOB = '15550002222';

it('runs in a process of its own, with the same interface', async () => {
  await using emulator = await forkWhatsAppEmulator({ accounts: [{ number: AGENCY }], people: [{ number: BOB }] });
  const distrust = trustEmulator(emulator.noiseRoot);
  const client = new StockClient({ url: emulator.url, state: await emulator.linkReady(AGENCY) });
  await client.opened();
  const { entries, plaintext } = await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'far away' } });
  await emulator.answered(entries);
  expect(Buffer.from(plaintext).toString()).toContain('far away');
  expect((await emulator.receipted()).map(({ text }) => text)).toEqual(['far away']);
  await expect(emulator.unlink('1')).rejects.toThrow('no account 1');
  await client.end();
  distrust();
});
