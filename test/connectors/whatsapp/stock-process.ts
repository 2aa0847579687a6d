// SPDX-License-Identifier: AGPL-3.0-or-later

// The stock client, killed at the first line of its message handler: `node stock-process.ts <file with its settings>`.

import { readFileSync } from 'node:fs';
import { StockClient } from '../../emulators/whatsapp/stock-client.ts';
import { trustEmulator } from '../../emulators/whatsapp/trust.ts';
import type { CaptureSettings } from './capture-process.ts';

const { wire, state } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as CaptureSettings;
trustEmulator(Buffer.from(wire.noiseRoot, 'hex'));
const client = new StockClient({ url: wire.url, state });
client.socket.ev.on('messages.upsert', () => process.kill(process.pid, 'SIGKILL'));
console.log('ready');
