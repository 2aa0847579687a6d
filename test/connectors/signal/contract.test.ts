// SPDX-License-Identifier: AGPL-3.0-or-later

import { signal } from '../../../src/connectors/signal/index.ts';
import type { SignalSession } from '../../../src/connectors/signal/session.ts';
import { incoming } from '../../emulators/signal/envelopes.ts';
import { account, dana, startWorld } from '../../emulators/signal/test-world.ts';
import { describeConnector } from '../contract.ts';
import { QUICK } from './harness.ts';

describeConnector('signal', async () => {
  const emulator = await startWorld({ trustNewIdentities: 'always' });
  let at = Date.now();
  return {
    account,
    open: (deps) =>
      signal.open(signal.parseConfig({ ...QUICK, api: emulator.url, webhook: { port: 0 }, websocket: false }), deps),
    isReady: (session) => {
      const { webhookUrl } = session as SignalSession;
      if (webhookUrl !== null) emulator.webhookUrl = webhookUrl;
      return webhookUrl !== null;
    },
    send: async (text) => {
      await emulator.receive(account, incoming(dana, (at += 1), { text }));
    },
    acknowledged: () => emulator.history.filter(({ webhook }) => webhook.accepted > 0).length,
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  };
});
