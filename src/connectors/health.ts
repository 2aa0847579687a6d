// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ConnectorEvents, Health } from './connector.ts';

/** Whether the archive is one of the account's devices. `unsure`: not known yet. */
export type Linking = 'unsure' | 'linked' | 'unlinked' | 'not-linked';

interface Entry<Reason extends string> {
  readonly reasons: Set<Reason>;
  linking: Linking;
  running: boolean;
  /** The messenger was looked at completely, or all that waited there was offered: what is missing would be known. */
  caughtUp: boolean;
  lastCaptureMs: number | null;
  shown: Health;
}

const UNKNOWN: Health = { state: 'stopped', sinceMs: 0, reasons: [], lastCaptureMs: null };

/** The state of each account, from what its parts report. Green only while nothing speaks against it. */
export class HealthBook<Reason extends string> {
  readonly #accounts: ReadonlyMap<string, Entry<Reason>>;
  readonly #clock: () => number;
  readonly #events: ConnectorEvents;

  constructor(accounts: Iterable<string>, clock: () => number, events: ConnectorEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#accounts = new Map([...accounts].map((account) => [account, newEntry<Reason>()]));
  }

  of(account: string): Health {
    const entry = this.#accounts.get(account);
    return entry === undefined ? UNKNOWN : { ...entry.shown, lastCaptureMs: entry.lastCaptureMs };
  }

  set(account: string, reason: Reason, holds: boolean): void {
    this.#change(account, ({ reasons }) => (holds ? reasons.add(reason) : reasons.delete(reason)));
  }

  setAll(reason: Reason, holds: boolean): void {
    for (const account of this.#accounts.keys()) this.set(account, reason, holds);
  }

  link(account: string, linking: Linking): void {
    this.#change(account, (entry) => (entry.linking = linking));
  }

  isLinked(account: string): boolean {
    return this.#accounts.get(account)?.linking === 'linked';
  }

  caughtUp(account: string, caughtUp: boolean): void {
    this.#change(account, (entry) => (entry.caughtUp = caughtUp));
  }

  captured(account: string, atMs: number): void {
    const entry = this.#accounts.get(account);
    if (entry !== undefined) entry.lastCaptureMs = atMs;
  }

  /** A run begins or ends. What was known of the messenger is forgotten. */
  running(running: boolean): void {
    for (const account of this.#accounts.keys()) {
      this.#change(account, (entry) => {
        entry.reasons.clear();
        Object.assign(entry, { running, linking: 'unsure', caughtUp: false });
      });
    }
  }

  #change(account: string, change: (entry: Entry<Reason>) => void): void {
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

function newEntry<Reason extends string>(): Entry<Reason> {
  return {
    reasons: new Set(),
    linking: 'unsure',
    running: false,
    caughtUp: false,
    lastCaptureMs: null,
    shown: UNKNOWN,
  };
}

function stateOf({ running, linking, caughtUp, reasons }: Entry<string>): Health['state'] {
  if (!running) return 'stopped';
  if (linking === 'unlinked' || linking === 'not-linked') return linking;
  if (reasons.size > 0) return 'degraded';
  return linking === 'linked' && caughtUp ? 'capturing' : 'starting';
}
