// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Connector } from '../connector.ts';
import { parseConfig, type SignalConfig } from './config.ts';
import { SignalSession } from './session.ts';

/** Signal, through a stock signal-cli-rest-api. */
export const signal = {
  app: 'signal',
  parseConfig,
  open: (config, deps) => new SignalSession(config, deps),
} satisfies Connector<SignalConfig> & { readonly parseConfig: typeof parseConfig };
