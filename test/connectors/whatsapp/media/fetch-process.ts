// SPDX-License-Identifier: AGPL-3.0-or-later

// A connector process with a real spool that fetches files and history, to be killed: `node fetch-process.ts <file with its settings>`.
// Prints `fetched` whenever nothing remains to be fetched.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig } from '../../../../src/connectors/whatsapp/config.ts';
import { NORMALISE } from '../../../../src/connectors/whatsapp/index.ts';
import { WhatsAppSession } from '../../../../src/connectors/whatsapp/session.ts';
import type { LinkedState } from '../../../emulators/whatsapp/api.ts';
import { emulatorAgent } from '../../../emulators/whatsapp/emulator-agent.ts';
import { trustEmulator } from '../../../emulators/whatsapp/trust.ts';
import { RecordedEvents } from '../../../support/connector-events.ts';
import { decodeKeys, SpoolFixture } from '../../../support/spool-fixture.ts';
import { linkedChanges } from '../linked-state.ts';

export interface FetchSettings {
  readonly directory: string;
  readonly keys: string;
  readonly account: string;
  readonly state: LinkedState;
  readonly emulator: {
    readonly url: string;
    readonly mediaUrl: string;
    readonly caCertificate: string | null;
    /** Hex. */
    readonly noiseRoot: string;
  };
  readonly config: Record<string, unknown>;
}

const settings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as FetchSettings;
const { directory, keys, account, state, emulator, config } = settings;
trustEmulator(Buffer.from(emulator.noiseRoot, 'hex'));
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const fixture = await SpoolFixture.open({ directory, keys: decodeKeys(keys) });
const sink = await fixture.sink('whatsapp', account);
if (sink.session('creds') === null) await sink.deliver([], linkedChanges(sink, state));
const wire = { url: emulator.url, noiseRoot: emulator.noiseRoot, agent: emulatorAgent(emulator) };
const session = new WhatsAppSession(
  parseConfig(config),
  { accounts: new Map([[account, sink]]), clock: Date.now, events: new RecordedEvents() },
  { normalise: NORMALISE, wire },
);
const watching = (async (): Promise<void> => {
  while (!stop.signal.aborted) {
    const open = [...sink.sessionNames('media/'), ...sink.sessionNames('history/')];
    if (open.length === 0) console.log('fetched');
    await sleep(50);
  }
})();
console.log('ready');
await session.run(stop.signal);
await watching;
await fixture[Symbol.asyncDispose]();
