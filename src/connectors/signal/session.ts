// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AccountSink, Health, LinkStep, Session, SessionDeps } from '../connector.ts';
import type { SignalConfig } from './config.ts';
import { HealthBook } from '../health.ts';
import { untilFirstFailure } from '../run.ts';
import type { HealthReason } from './reasons.ts';
import { linkAccount } from './link.ts';
import { Rest } from './rest.ts';
import { stopped } from './lane.ts';
import { SignalRun } from './run.ts';
import { linkedChange } from './watch/linking.ts';
import { unlessAborted } from '../waiting.ts';

/** Capture from one signal-cli-rest-api. May be run again after a run that ended. */
export class SignalSession implements Session {
  readonly #config: SignalConfig;
  readonly #deps: SessionDeps;
  readonly #health: HealthBook<HealthReason>;
  readonly #rest: Rest;
  #current: SignalRun | null = null;
  #port: number | null = null;

  constructor(config: SignalConfig, deps: SessionDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#health = new HealthBook(deps.accounts.keys(), deps.clock, deps.events);
    this.#rest = new Rest({
      api: config.api,
      timeoutMs: config.timeouts.rest,
      retryMs: config.timeouts.restRetry,
      attachmentIdleMs: config.timeouts.attachmentIdle,
    });
  }

  /** What RECEIVE_WEBHOOK_URL is to be; null while nothing listens. */
  get webhookUrl(): string | null {
    const { webhook } = this.#config;
    return webhook === undefined || this.#port === null ? null : `http://${webhook.host}:${this.#port}${webhook.path}`;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#health.running(true);
    try {
      await untilFirstFailure(signal, (stopping, fail) => this.#runOnce(stopping, fail));
    } finally {
      this.#current = null;
      this.#port = null;
      this.#health.running(false);
    }
  }

  health(account: string): Health {
    return this.#health.of(account);
  }

  link(account: string, signal: AbortSignal): AsyncIterable<LinkStep> {
    const sink = this.#deps.accounts.get(account);
    if (sink === undefined) throw new TypeError('expected a configured account');
    const { deviceName, timeouts, intervals } = this.#config;
    const onLinked = (): Promise<void> => this.#linked(account, sink, signal);
    const times = { timeoutMs: timeouts.link, pollMs: intervals.linkPoll };
    return linkAccount({ rest: this.#rest, account, deviceName, ...times, onLinked }, signal);
  }

  /** The first part that fails ends the others; its error is the run's. */
  async #runOnce(signal: AbortSignal, fail: (error: unknown) => void): Promise<void> {
    const { events } = this.#deps;
    const failed = { yet: false };
    const failOnce = (error: unknown): void => {
      failed.yet = true;
      fail(error);
    };
    const parts = { config: this.#config, deps: this.#deps, health: this.#health, rest: this.#rest };
    const run = new SignalRun({ ...parts, signal, fail: failOnce });
    try {
      this.#port = await run.listen();
      this.#current = run;
      await run.begin();
      await Promise.all(run.tasks().map((task) => task.catch(failOnce)));
      if (!failed.yet) await run.end();
    } catch (error) {
      if (!signal.aborted) failOnce(error);
      else events.trouble('deliver', error);
    } finally {
      await run.close();
    }
  }

  /** A run notes it by itself, in its order; without one it is noted here. */
  async #linked(account: string, sink: AccountSink, signal: AbortSignal): Promise<void> {
    if (this.#current !== null) {
      await unlessAborted(this.#current.look(), signal, stopped);
      return;
    }
    const change = linkedChange(sink, account, this.#config.deviceName, this.#deps.clock());
    if (change !== null) await sink.deliver(change.captures, change.session);
  }
}
