// SPDX-License-Identifier: AGPL-3.0-or-later

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { startSignalEmulator } from './emulator.ts';

const usage = `node test/emulators/signal/main.ts [--port N] [--data-dir DIR] [--webhook URL] [--account NUMBER]... [--mode json-rpc|normal]

Starts the emulator and prints its URL. Each line on standard input is one payload, {"envelope":…,"account":…},
delivered as it is. Ends at Ctrl-C.`;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'data-dir': { type: 'string' },
    webhook: { type: 'string' },
    account: { type: 'string', multiple: true, default: ['+12025550100'] },
    mode: { type: 'string', default: 'json-rpc' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (values.help) {
    console.log(usage);
    return;
  }
  await using emulator = await startSignalEmulator({
    dataDir: values['data-dir'] ?? (await mkdtemp(join(tmpdir(), 'signal-emulator-'))),
    port: Number(values.port),
    mode: values.mode === 'normal' ? 'normal' : 'json-rpc',
    accounts: values.account.map((number) => ({ number })),
    ...(values.webhook === undefined ? {} : { webhookUrl: values.webhook }),
  });
  console.log(emulator.url);
  console.log(emulator.journalPath);
  const stopped = Promise.withResolvers<void>();
  process.once('SIGINT', () => stopped.resolve());
  process.once('SIGTERM', () => stopped.resolve());
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    if (line.trim() === '') return;
    const { account } = JSON.parse(line) as { account: string };
    void emulator.receive(account, line);
  });
  await stopped.promise;
  input.close();
}

await main();
