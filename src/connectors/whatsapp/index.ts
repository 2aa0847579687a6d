// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Connector } from '../connector.ts';
import { parseConfig, type WhatsAppConfig } from './config.ts';
import type { Normalise } from './meaning.ts';
import {
  normaliseAppState,
  normaliseDecrypted,
  normaliseHistory,
  normaliseRecords,
  normaliseStanza,
} from './normalise.ts';
import { WhatsAppSession } from './session.ts';

export const NORMALISE: Normalise = {
  decrypted: normaliseDecrypted,
  stanza: normaliseStanza,
  appState: normaliseAppState,
  appStateFile: normaliseRecords,
  history: normaliseHistory,
};

/** WhatsApp, as a linked device of each account. */
export const whatsapp = {
  app: 'whatsapp',
  parseConfig,
  open: (config, deps) => new WhatsAppSession(config, deps, { normalise: NORMALISE }),
} satisfies Connector<WhatsAppConfig> & { readonly parseConfig: typeof parseConfig };
