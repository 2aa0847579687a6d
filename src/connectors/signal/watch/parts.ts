// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ConnectorEvents } from '../../connector.ts';
import type { SignalConfig } from '../config.ts';
import type { HealthBook } from '../../health.ts';
import type { HealthReason } from '../reasons.ts';
import type { Rest } from '../rest.ts';

/** What every watcher works with. */
export interface WatchParts {
  readonly rest: Rest;
  readonly config: SignalConfig;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
}

/** The path of a route about one account. */
export function accountPath(route: string, account: string, query = ''): string {
  return `v1/${route}/${encodeURIComponent(account)}${query}`;
}
