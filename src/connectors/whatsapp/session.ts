// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Health, LinkOptions, LinkStep, Session, SessionDeps } from '../connector.ts';
import { AccountRun } from './account-run.ts';
import type { WhatsAppConfig } from './config.ts';
import type { Connection } from './connection.ts';
import { Fetching } from './fetching.ts';
import { HealthBook } from '../health.ts';
import { untilFirstFailure } from '../run.ts';
import type { HealthReason } from './reasons.ts';
import { AccountLane } from './lane.ts';
import { linkAccount } from './link.ts';
import type { FollowUp, Normalise } from './meaning.ts';
import { WHATSAPP, type Wire } from './wire.ts';

export interface SessionParts {
  readonly normalise: Normalise;
  readonly followUps?: readonly FollowUp[];
  /** Another server than WhatsApp's: for tests. */
  readonly wire?: Wire;
}

/** Capture from WhatsApp, as a linked device of each account. May be run again after a run that ended. */
export class WhatsAppSession implements Session {
  readonly #config: WhatsAppConfig;
  readonly #deps: SessionDeps;
  readonly #parts: SessionParts;
  readonly #health: HealthBook<HealthReason>;
  #runs: ReadonlyMap<string, AccountRun> = new Map();

  constructor(config: WhatsAppConfig, deps: SessionDeps, parts: SessionParts) {
    this.#config = config;
    this.#deps = deps;
    this.#parts = parts;
    this.#health = new HealthBook(deps.accounts.keys(), deps.clock, deps.events);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#health.running(true);
    try {
      await untilFirstFailure(signal, (stopping, fail) => this.#runAccounts(stopping, fail));
    } finally {
      this.#runs = new Map();
      this.#health.running(false);
    }
  }

  async #runAccounts(signal: AbortSignal, fail: (error: unknown) => void): Promise<void> {
    const fetching = this.#fetching(fail);
    this.#runs = new Map(
      [...this.#deps.accounts.keys()].map((account) => [account, this.#account(account, fetching, fail)]),
    );
    const runs = [...this.#runs.values()];
    for (const { lane } of runs) fetching.resume(lane);
    const working = [...runs.map((run) => run.run(signal)), fetching.run(signal)];
    await Promise.all(working.map((work) => work.catch(fail)));
  }

  health(account: string): Health {
    return this.#health.of(account);
  }

  async *link(account: string, signal: AbortSignal, options: LinkOptions = {}): AsyncGenerator<LinkStep> {
    if (!this.#deps.accounts.has(account)) throw new TypeError('expected a configured account');
    const running = this.#runs.get(account);
    if (running !== undefined) return yield* linkAccount(running, options, signal);
    // Nobody captures: the device logs in once, as the phone expects, and that is all.
    const failures: unknown[] = [];
    const fail = (error: unknown): void => void failures.push(error);
    // What its follow-ups plan is in the session state; the next run fetches it.
    yield* linkAccount(this.#account(account, this.#fetching(fail), fail), options, signal);
    if (failures.length > 0) throw failures[0];
  }

  #fetching(onFatal: (error: unknown) => void): Fetching {
    const { clock, events } = this.#deps;
    const { normalise, wire = WHATSAPP } = this.#parts;
    const connectionOf = (account: string): Connection | null => this.#runs.get(account)?.connection ?? null;
    const config = this.#config;
    const health = this.#health;
    return new Fetching({ config, wire, normalise, events, health, clock, onFatal, connectionOf });
  }

  #account(account: string, fetching: Fetching, fail: (error: unknown) => void): AccountRun {
    const { clock, events, accounts } = this.#deps;
    const sink = accounts.get(account);
    if (sink === undefined) throw new TypeError('expected a configured account');
    const config = this.#config;
    const health = this.#health;
    const lane = new AccountLane({
      account,
      sink,
      clock,
      events,
      health,
      retryMs: config.intervals.retry,
      onFatal: fail,
    });
    const { normalise, wire = WHATSAPP } = this.#parts;
    const followUps = [...fetching.followUps, ...(this.#parts.followUps ?? [])];
    const { repair } = fetching;
    return new AccountRun({ config, wire, normalise, followUps, repair, events, health, lane, onFatal: fail });
  }
}
