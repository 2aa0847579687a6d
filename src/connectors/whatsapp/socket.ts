// SPDX-License-Identifier: AGPL-3.0-or-later
import { DEFAULT_CONNECTION_CONFIG, makeWASocket, type SocketConfig, type WASocket } from '@whiskeysockets/baileys';
import type { ClientCaches } from './client-caches.ts';
import { NO_LOG } from './client-log.ts';
import type { WhatsAppConfig } from './config.ts';
import { agentFor, assertWire, type Wire } from './wire.ts';

export interface SocketParts {
  readonly config: WhatsAppConfig;
  readonly wire: Wire;
  readonly caches: ClientCaches;
  readonly auth: SocketConfig['auth'];
  readonly makeSignalRepository: SocketConfig['makeSignalRepository'];
}

/** The unmodified client, told to stay silent: not online, no read receipts, no history of its own, no logs. */
export function openSocket(parts: SocketParts): WASocket {
  const { config, wire, caches, auth, makeSignalRepository } = parts;
  assertWire(wire);
  const { timeouts, intervals } = config;
  const agent = agentFor(wire);
  return makeWASocket({
    auth,
    makeSignalRepository,
    logger: NO_LOG,
    waWebSocketUrl: wire.url,
    ...(agent === undefined ? {} : { agent }),
    browser: [config.device, 'Desktop', ''],
    version: versionOf(config.version),
    connectTimeoutMs: timeouts.connect,
    defaultQueryTimeoutMs: timeouts.query,
    keepAliveIntervalMs: intervals.keepAlive,
    markOnlineOnConnect: false,
    syncFullHistory: true,
    // The client would fetch history while it holds up every message behind it, and has receipted it before.
    shouldSyncHistoryMessage: () => false,
    // Ignoring is refusing: the server would drop what was never read.
    shouldIgnoreJid: () => false,
    // Nothing is ever sent that somebody could ask for again.
    enableRecentMessageCache: false,
    enableAutoSessionRecreation: false,
    generateHighQualityLinkPreview: false,
    // Off by default there: the client then takes changes of the app state that the owner's key did not make.
    appStateMacVerification: { patch: true, snapshot: true },
    // The store repeats by itself, and never tells the client of an error.
    transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
    msgRetryCounterCache: caches.retries,
    callOfferCache: caches.calls,
    placeholderResendCache: caches.placeholders,
    options: freshDeadlines(timeouts.download),
  });
}

function versionOf(version: string | undefined): SocketConfig['version'] {
  if (version === undefined) return DEFAULT_CONNECTION_CONFIG.version;
  const [first = 0, second = 0, third = 0] = version.split('.').map(Number);
  return [first, second, third];
}

/** The client spreads these into every fetch, so each gets a deadline of its own; it has none itself. */
function freshDeadlines(timeoutMs: number): RequestInit {
  return {
    get signal() {
      return AbortSignal.timeout(timeoutMs);
    },
  };
}
