// SPDX-License-Identifier: AGPL-3.0-or-later
import { Agent } from 'node:https';
import { DEFAULT_CONNECTION_CONFIG, WA_CERT_DETAILS } from '@whiskeysockets/baileys';
import { Failure } from '../../base/failure.ts';

/** Whose server a connection may reach: an address, and the root that signs its Noise certificate. */
export interface Wire {
  readonly url: string;
  /** Hex. */
  readonly noiseRoot: string;
  /** Tests: brings connections, for the media host too, to their own server. */
  readonly agent?: Agent;
}

/** WhatsApp's own. The client compares no server key with its certificate, so TLS is what the connection stands on. */
export const WHATSAPP: Wire = {
  url: 'wss://web.whatsapp.com/ws/chat',
  noiseRoot: '142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b',
};

/**
 * Refuses to connect where somebody in the middle could answer: without TLS, or with another root than the one named. Only tests name
 * another wire than {@link WHATSAPP}.
 */
export function assertWire(wire: Wire): void {
  const root = Buffer.from(WA_CERT_DETAILS.PUBLIC_KEY).toString('hex');
  const isOwn = wire === WHATSAPP;
  if (root !== wire.noiseRoot) throw untrusted('the Noise root of this wire', 'another root in the client');
  if (!isOwn) return;
  if (!wire.url.startsWith('wss:') || String(DEFAULT_CONNECTION_CONFIG.waWebSocketUrl) !== wire.url)
    throw untrusted('the address the client is built with, over wss:', 'another address');
}

/** Checks certificates whatever the environment says. */
export function agentFor(wire: Wire): Agent | undefined {
  return wire === WHATSAPP ? new Agent({ rejectUnauthorized: true }) : wire.agent;
}

function untrusted(expected: string, got: string): Failure {
  return new Failure('whatsapp/untrusted-wire', { expected, got, fix: 'install again from the lock file' });
}
