// SPDX-License-Identifier: AGPL-3.0-or-later

// Preload for a process of Holdfast as it is: `node --import …/redirect.ts src/main/cli.ts up`. Connections to WhatsApp's hosts end at
// the emulator of `HOLDFAST_EMULATOR`, still over TLS and with the certificate checked for the name that was asked for.

import { syncBuiltinESMExports } from 'node:module';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { WHATSAPP, type Wire } from '../../../src/connectors/whatsapp/wire.ts';
import type { WhatsAppEmulator } from './api.ts';
import { trustEmulator } from './trust.ts';

interface Redirection {
  readonly port: number;
  readonly ca: string;
  /** Hex. */
  readonly noiseRoot: string;
}

const VARIABLE = 'HOLDFAST_EMULATOR';
const HOSTS: ReadonlySet<unknown> = new Set(['web.whatsapp.com', 'mmg.whatsapp.net']);

/** Environment of a process that is started with this preload. The emulator needs `tls: true`. */
export function redirectionTo({ mediaUrl, caCertificate, noiseRoot }: WhatsAppEmulator): Record<string, string> {
  if (caCertificate === null) throw new Error('the emulator has no certificate: start it with tls');
  const redirection: Redirection = {
    port: Number(new URL(mediaUrl).port),
    ca: caCertificate,
    noiseRoot: Buffer.from(noiseRoot).toString('hex'),
  };
  return { [VARIABLE]: JSON.stringify(redirection) };
}

function redirect({ port, ca, noiseRoot }: Redirection): void {
  const connect = tls.connect.bind(tls) as (...args: readonly unknown[]) => TLSSocket;
  const elsewhere = (options: ConnectionOptions, ...others: readonly unknown[]): TLSSocket => {
    if (!HOSTS.has(options.host)) return connect(options, ...others);
    const servername = options.servername ?? String(options.host);
    return connect({ ...options, host: '127.0.0.1', port, path: undefined, ca, servername }, ...others);
  };
  tls.connect = elsewhere as typeof tls.connect;
  syncBuiltinESMExports();
  trustEmulator(Buffer.from(noiseRoot, 'hex'));
  (WHATSAPP as { -readonly [K in keyof Wire]: Wire[K] }).noiseRoot = noiseRoot;
}

const given = process.env[VARIABLE];
if (given !== undefined) redirect(JSON.parse(given) as Redirection);
