// SPDX-License-Identifier: AGPL-3.0-or-later
import { Agent } from 'node:https';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { WhatsAppEmulator } from './api.ts';

/** Brings requests for any host name to the emulator, over TLS and with the certificate checked for that name. Needs `tls: true`. */
export function emulatorAgent({
  mediaUrl,
  caCertificate,
}: Pick<WhatsAppEmulator, 'mediaUrl' | 'caCertificate'>): Agent {
  if (caCertificate === null) throw new Error('the emulator has no certificate: start it with tls');
  const port = Number(new URL(mediaUrl).port);
  const agent = new Agent({ keepAlive: true, ca: caCertificate });
  agent.createConnection = ({ host }) => {
    const name = String(host);
    const servername = isIP(name) === 0 ? name : '';
    return connect({ host: '127.0.0.1', port, ca: caCertificate, servername, rejectUnauthorized: true });
  };
  return agent;
}
