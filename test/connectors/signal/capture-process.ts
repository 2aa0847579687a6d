// SPDX-License-Identifier: AGPL-3.0-or-later

// A connector process with a real spool, to be killed: `node capture-process.ts <file with its settings>`.

import { readFileSync } from 'node:fs';
import { parseConfig } from '../../../src/connectors/signal/config.ts';
import { SignalSession } from '../../../src/connectors/signal/session.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { decodeKeys, SpoolFixture } from '../../support/spool-fixture.ts';

export interface CaptureSettings {
  readonly directory: string;
  readonly keys: string;
  readonly account: string;
  readonly config: Record<string, unknown>;
}

const { directory, keys, account, config } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as CaptureSettings;
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const fixture = await SpoolFixture.open({ directory, keys: decodeKeys(keys) });
const sink = await fixture.sink('signal', account);
const session = new SignalSession(parseConfig(config), {
  accounts: new Map([[account, sink]]),
  clock: Date.now,
  events: new RecordedEvents(),
});
const run = session.run(stop.signal);
const ready = setInterval(() => {
  if (session.webhookUrl === null) return;
  clearInterval(ready);
  console.log(session.webhookUrl);
}, 5);
await run;
clearInterval(ready);
await fixture[Symbol.asyncDispose]();
