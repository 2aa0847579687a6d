// SPDX-License-Identifier: AGPL-3.0-or-later

import type { Session } from '../../../src/connectors/connector.ts';
import { parseConfig } from '../../../src/connectors/whatsapp/config.ts';
import { NORMALISE } from '../../../src/connectors/whatsapp/index.ts';
import { WhatsAppSession } from '../../../src/connectors/whatsapp/session.ts';
import { startWhatsAppEmulator } from '../../emulators/whatsapp/emulator.ts';
import { trustEmulator } from '../../emulators/whatsapp/trust.ts';
import { describeConnector } from '../contract.ts';
import { account, bob, number, QUICK, wireOf } from './harness.ts';
import { linkedChanges } from './linked-state.ts';

describeConnector('whatsapp', async () => {
  const emulator = await startWhatsAppEmulator({ accounts: [{ number }], people: [{ number: bob, name: 'Bob' }] });
  const distrust = trustEmulator(emulator.noiseRoot);
  const state = await emulator.linkReady(number);
  let acknowledged = 0;
  const count = setInterval(() => {
    void emulator.receipted(number).then((entries) => (acknowledged = entries.length));
  }, 5);
  return {
    account,
    open: (deps) => {
      const sink = deps.accounts.get(account);
      const seeded = sink?.deliver([], linkedChanges(sink, state));
      const session = new WhatsAppSession(parseConfig(QUICK), deps, { normalise: NORMALISE, wire: wireOf(emulator) });
      return {
        run: async (signal) => {
          await seeded;
          await session.run(signal);
        },
        health: (of) => session.health(of),
        link: (of, signal) => session.link(of, signal),
      } satisfies Session;
    },
    isReady: (session) => session.health(account).state === 'capturing',
    send: async (text) => {
      await emulator.send({ to: number, from: bob, message: { conversation: text } });
    },
    acknowledged: () => acknowledged,
    [Symbol.asyncDispose]: async () => {
      clearInterval(count);
      await emulator[Symbol.asyncDispose]();
      distrust();
    },
  };
});
