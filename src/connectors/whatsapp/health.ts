// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ConnectorEvents, Health } from '../connector.ts';
import type { HealthReason } from './reasons.ts';

/** Whether the archive is one of the account's devices. `unsure`: not known yet. */
export type Linking = 'unsure' | 'linked' | 'unlinked' | 'not-linked';

interface Entry {
  readonly reasons: Set<HealthReason>;
  linking: Linking;
  running: boolean;
  /** Logged in, and everything that waited on the server was offered. */
  caughtUp: boolean;
  lastCaptureMs: number | null;
  shown: Health;
}

/** The state of each account, from what its parts report. Green only while nothing speaks against it. */
export class HealthBook {
  readonly #accounts = new Map<string, Entry>();
  readonly #clock: () => number;
  readonly #events: ConnectorEvents;

  constructor(accounts: Iterable<string>, clock: () => number, events: ConnectorEvents) {
    this.#clock = clock;
    this.#events = events;
    for (const account of accounts) {
      const shown: Health = { state: 'stopped', sinceMs: 0, reasons: [], lastCaptureMs: null };
      const reasons = new Set<HealthReason>();
      this.#accounts.set(account, {
        reasons,
        linking: 'unsure',
        running: false,
        caughtUp: false,
        lastCaptureMs: null,
        shown,
      });
    }
  }

  of(account: string): Health {
    const entry = this.#accounts.get(account);
    if (entry === undefined) return { state: 'stopped', sinceMs: 0, reasons: [], lastCaptureMs: null };
    return { ...entry.shown, lastCaptureMs: entry.lastCaptureMs };
  }

  set(account: string, reason: HealthReason, holds: boolean): void {
    this.#change(account, ({ reasons }) => (holds ? reasons.add(reason) : reasons.delete(reason)));
  }

  link(account: string, linking: Linking): void {
    this.#change(account, (entry) => (entry.linking = linking));
  }

  caughtUp(account: string, caughtUp: boolean): void {
    this.#change(account, (entry) => (entry.caughtUp = caughtUp));
  }

  captured(account: string, atMs: number): void {
    const entry = this.#accounts.get(account);
    if (entry !== undefined) entry.lastCaptureMs = atMs;
  }

  /** A run begins or ends. What was known of the connection is forgotten. */
  running(running: boolean): void {
    for (const account of this.#accounts.keys()) {
      this.#change(account, (entry) => {
        entry.reasons.clear();
        Object.assign(entry, { running, linking: 'unsure', caughtUp: false });
      });
    }
  }

  #change(account: string, change: (entry: Entry) => void): void {
    const entry = this.#accounts.get(account);
    if (entry === undefined) return;
    change(entry);
    const state = stateOf(entry);
    const reasons = entry.running ? [...entry.reasons].toSorted() : [];
    const { shown } = entry;
    if (shown.state === state && shown.reasons.join() === reasons.join()) return;
    const sinceMs = shown.state === state ? shown.sinceMs : this.#clock();
    entry.shown = { state, sinceMs, reasons, lastCaptureMs: entry.lastCaptureMs };
    this.#events.state(account, entry.shown);
  }
}

function stateOf({ running, linking, caughtUp, reasons }: Entry): Health['state'] {
  if (!running) return 'stopped';
  if (linking === 'unlinked' || linking === 'not-linked') return linking;
  if (reasons.size > 0) return 'degraded';
  return linking === 'linked' && caughtUp ? 'capturing' : 'starting';
}
