// SPDX-License-Identifier: AGPL-3.0-or-later
import { afterEach, beforeEach } from 'vitest';
import type { UserFacingSocketConfig } from '@whiskeysockets/baileys';
import type { WhatsAppEmulator } from './api.ts';
import { startWhatsAppEmulator } from './emulator.ts';
import { StockClient } from './stock-client.ts';
import { trustEmulator } from './trust.ts';

export const AGENCY = '15550001111';
export const BOB = '15550002222';
export const EVE = '15550003333';

export interface TestWorld {
  emulator: WhatsAppEmulator;
  /** A linked client that is ended after the test. */
  linked(config?: Partial<UserFacingSocketConfig>): Promise<StockClient>;
  /** Ended after the test. */
  started(client: StockClient): StockClient;
}

/** An emulator with an agency and two people for every test of a file. */
export function testWorld(): TestWorld {
  let clients: StockClient[] = [];
  let distrust: () => void;
  const started = (client: StockClient): StockClient => {
    clients.push(client);
    return client;
  };
  const world: TestWorld = {
    emulator: undefined as unknown as WhatsAppEmulator,
    started,
    linked: async (config = {}) => {
      const { emulator } = world;
      return await started(
        new StockClient({ url: emulator.url, state: await emulator.linkReady(AGENCY), config }),
      ).opened();
    },
  };
  beforeEach(async () => {
    world.emulator = await startWhatsAppEmulator({
      accounts: [{ number: AGENCY, name: 'Agency' }],
      people: [
        { number: BOB, name: 'Bob' },
        { number: EVE, name: 'Eve' },
      ],
    });
    distrust = trustEmulator(world.emulator.noiseRoot);
    clients = [];
  });
  afterEach(async () => {
    for (const client of clients) await client.end();
    await world.emulator[Symbol.asyncDispose]();
    distrust();
  });
  return world;
}
