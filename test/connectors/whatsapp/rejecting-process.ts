// SPDX-License-Identifier: AGPL-3.0-or-later

// A connector as it runs, in which a promise that nobody waits for is rejected when the first message was decrypted, as it would be by a
// mistake in the client: `node rejecting-process.ts <file with its settings>`.

import { readFileSync } from 'node:fs';
import { Events } from '../../../src/base/events.ts';
import { openLog } from '../../../src/base/log.ts';
import { runRole } from '../../../src/base/run.ts';
import { parseConfig } from '../../../src/connectors/whatsapp/config.ts';
import { NORMALISE } from '../../../src/connectors/whatsapp/index.ts';
import { WhatsAppSession } from '../../../src/connectors/whatsapp/session.ts';
import { trustEmulator } from '../../emulators/whatsapp/trust.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { decodeKeys, SpoolFixture } from '../../support/spool-fixture.ts';
import type { CaptureSettings } from './capture-process.ts';
import { linkedChanges } from './linked-state.ts';

const settings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as CaptureSettings;
const { directory, keys, account, wire, state, config } = settings;
trustEmulator(Buffer.from(wire.noiseRoot, 'hex'));
await runRole('connector', new Events(openLog('info')), async ({ signal, fatal }, parts) => {
  const fixture = parts.use(await SpoolFixture.open({ directory, keys: decodeKeys(keys) }));
  const sink = await fixture.sink('whatsapp', account);
  if (sink.session('creds') === null) await sink.deliver([], linkedChanges(sink, state));
  const deliver = sink.deliver.bind(sink);
  sink.deliver = async (captures, changes) => {
    const [message] = captures.filter(({ type }) => type === 'content');
    if (message !== undefined) void Promise.reject(new Error(`what Bob wrote: ${JSON.stringify(message.view)}`));
    return await deliver(captures, changes);
  };
  const deps = { accounts: new Map([[account, sink]]), clock: Date.now, events: new RecordedEvents() };
  const session = new WhatsAppSession(parseConfig(config), deps, { normalise: NORMALISE, wire });
  session.run(signal).catch(fatal);
  console.log('ready');
});
