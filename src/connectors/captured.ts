// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Capture, ConnectorEvents, Delivered } from './connector.ts';
import type { HealthBook } from './health.ts';

export interface CapturedParts {
  readonly account: string;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<string>;
}

/** What the archive says itself, and what it asked for: no sign that messages are captured. */
const OWN: ReadonlySet<string> = new Set(['connector', 'rest']);

/** Counts what was captured of the messenger, and was new. */
export function noteCaptured(
  { account, clock, events, health }: CapturedParts,
  captures: readonly Capture[],
  delivered: readonly Delivered[],
): void {
  const counts = new Map<string, number>();
  captures.forEach(({ type, via }, at) => {
    if (type === 'content' && !OWN.has(via) && delivered[at]?.fresh === true)
      counts.set(via, (counts.get(via) ?? 0) + 1);
  });
  for (const [via, count] of counts) events.captured(account, via, count);
  if (counts.size > 0) health.captured(account, clock());
}
