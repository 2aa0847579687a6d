// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Session, SessionDeps } from '../connectors/connector.ts';
import { signal } from '../connectors/signal/index.ts';

/** Messengers that accounts of the config can live on. */
export const APPS_CAPTURED = ['signal', 'whatsapp'] as const;
export type CapturedApp = (typeof APPS_CAPTURED)[number];

/** Opens a session on one back end, from its section of the config. */
export type OpenMessenger = (settings: unknown, deps: SessionDeps) => Session | Promise<Session>;
export type Messengers = Readonly<Record<CapturedApp, OpenMessenger>>;

export const MESSENGERS: Messengers = {
  signal: (settings, deps) => signal.open(signal.parseConfig(settings), deps),
  // A client of a hundred megabytes, for those who need it.
  whatsapp: async (settings, deps) => {
    const { whatsapp } = await import('../connectors/whatsapp/index.ts');
    return whatsapp.open(whatsapp.parseConfig(settings), deps);
  },
};
