// SPDX-License-Identifier: AGPL-3.0-or-later

// A connector process with a real spool, to be killed: `node capture-process.ts <file with its settings>`.

import { readFileSync } from 'node:fs';
import type { AccountSink } from '../../../src/connectors/connector.ts';
import { parseConfig } from '../../../src/connectors/whatsapp/config.ts';
import { NORMALISE } from '../../../src/connectors/whatsapp/index.ts';
import { WhatsAppSession } from '../../../src/connectors/whatsapp/session.ts';
import type { Wire } from '../../../src/connectors/whatsapp/wire.ts';
import type { LinkedState } from '../../emulators/whatsapp/api.ts';
import { trustEmulator } from '../../emulators/whatsapp/trust.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { decodeKeys, SpoolFixture } from '../../support/spool-fixture.ts';
import { linkedChanges } from './linked-state.ts';

export interface CaptureSettings {
  readonly directory: string;
  readonly keys: string;
  readonly account: string;
  readonly wire: Wire;
  /** Of the device, if the spool does not know it yet. */
  readonly state: LinkedState;
  readonly config: Record<string, unknown>;
  /** Dies at the first message: when it was decrypted, or when it is durable. */
  readonly dies?: 'before-commit' | 'after-commit';
}

const settings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as CaptureSettings;
const { directory, keys, account, wire, state, config, dies } = settings;
trustEmulator(Buffer.from(wire.noiseRoot, 'hex'));
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const fixture = await SpoolFixture.open({ directory, keys: decodeKeys(keys) });
const sink: AccountSink = await fixture.sink('whatsapp', account);
if (sink.session('creds') === null) await sink.deliver([], linkedChanges(sink, state));
if (dies !== undefined) dieIn(sink, dies);
const session = new WhatsAppSession(
  parseConfig(config),
  { accounts: new Map([[account, sink]]), clock: Date.now, events: new RecordedEvents() },
  { normalise: NORMALISE, wire },
);
console.log('ready');
await session.run(stop.signal);
await fixture[Symbol.asyncDispose]();

function dieIn(victim: AccountSink, moment: 'before-commit' | 'after-commit'): void {
  const deliver = victim.deliver.bind(victim);
  victim.deliver = async (captures, changes) => {
    const isMessage = captures.some(({ view }) => view.kind === 'message');
    if (isMessage && moment === 'before-commit') process.kill(process.pid, 'SIGKILL');
    const delivered = await deliver(captures, changes);
    if (isMessage) process.kill(process.pid, 'SIGKILL');
    return delivered;
  };
}
