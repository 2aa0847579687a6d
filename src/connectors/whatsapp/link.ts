// SPDX-License-Identifier: AGPL-3.0-or-later
import type { ConnectionState } from '@whiskeysockets/baileys';
import { isFailure } from '../../base/failure.ts';
import type { LinkOptions, LinkStep } from '../connector.ts';
import type { AccountRun } from './account-run.ts';
import { Connection } from './connection.ts';
import { Credentials } from './credentials.ts';
import type { Fence } from './fence.ts';
import { isOf, linkedChange, numberOf } from './linking.ts';
import { closeCodeOf } from './close-codes.ts';

/** How long the client shows the first code of a connection, and those after it. */
const FIRST_CODE_SECONDS = 60;
const LATER_CODES_SECONDS = 20;
const RESTART_REQUIRED = 515;
const TIMED_OUT = 408;
/** How long a code that is typed is good for. */
const CODE_SECONDS = 180;

/**
 * Links the account: shows codes until the phone has signed this device, and the signature is durable. What is shown is a bearer
 * credential: it goes to the caller and nowhere else.
 */
export async function* linkAccount(
  run: AccountRun,
  options: LinkOptions,
  signal: AbortSignal,
): AsyncGenerator<LinkStep> {
  if (run.connection !== null && Credentials.load(run.lane.sink)?.isLinked === true) return yield { step: 'linked' };
  using _turn = await run.yieldTo();
  const steps = new Steps();
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  const pairing = new Pairing(run, options, steps);
  const work = pairing.run(stop.signal).catch((error: unknown) => steps.fail(error));
  try {
    yield* steps;
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
    await work;
  }
}

/** One connection without an identity, until the phone gives it one. */
class Pairing {
  readonly #run: AccountRun;
  readonly #options: LinkOptions;
  readonly #steps: Steps;
  readonly #credentials = Credentials.fresh();
  #codes = 0;
  #paired = false;

  constructor(run: AccountRun, options: LinkOptions, steps: Steps) {
    this.#run = run;
    this.#options = options;
    this.#steps = steps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { lane, parts, caches } = this.#run;
    const fence = await this.#run.nextFence(signal);
    const connection = new Connection({
      ...parts,
      caches,
      credentials: this.#credentials,
      fence,
      onUpdate: (update) => this.#updated(update, connection),
      onPhone: () => undefined,
      onArrival: () => undefined,
    });
    const drop = (): void => connection.drop();
    signal.addEventListener('abort', drop, { once: true });
    if (signal.aborted) drop();
    try {
      const code = await connection.ended;
      if (this.#paired) await this.#adopt(fence);
      else if (!signal.aborted) this.#steps.end(this.#endOf(code));
    } finally {
      signal.removeEventListener('abort', drop);
      fence.fall();
      await lane.settle();
      this.#steps.end();
    }
  }

  #updated({ qr, isNewLogin, lastDisconnect }: Partial<ConnectionState>, connection: Connection): void {
    if (isNewLogin === true) this.#paired = true;
    if (qr !== undefined && this.#options.code === true) {
      if (this.#codes++ === 0) void this.#askForCode(connection);
    } else if (qr !== undefined) {
      const expiresInSeconds = this.#codes++ === 0 ? FIRST_CODE_SECONDS : LATER_CODES_SECONDS;
      if (this.#codes > 1) this.#steps.push({ step: 'expired' });
      this.#steps.push({ step: 'show-qr', uri: qr, expiresInSeconds });
      this.#steps.push({ step: 'waiting' });
    }
    if (lastDisconnect !== undefined && closeCodeOf(lastDisconnect.error) === RESTART_REQUIRED) this.#paired = true;
  }

  /** Codes that nobody used run out; the client then closes with a time-out. */
  #endOf(code: number): LinkStep {
    if (this.#codes > 0 && code === TIMED_OUT) return { step: 'expired' };
    return { step: 'failed', reason: this.#codes === 0 && code === TIMED_OUT ? 'unreachable' : `closed-${code}` };
  }

  async #askForCode(connection: Connection): Promise<void> {
    try {
      const code = await connection.socket.requestPairingCode(numberOf(this.#run.lane.account));
      this.#steps.push({ step: 'show-code', code, expiresInSeconds: CODE_SECONDS });
      this.#steps.push({ step: 'waiting' });
    } catch (error) {
      this.#run.parts.events.trouble('link', error);
      connection.drop();
    }
  }

  async #adopt(fence: Fence): Promise<void> {
    const { lane, parts } = this.#run;
    if (!this.#credentials.isLinked) return this.#steps.end({ step: 'failed', reason: 'not-signed' });
    if (!isOf(this.#credentials, lane.account)) {
      lane.alarm('other-account');
      return this.#steps.end({ step: 'failed', reason: 'other-account' });
    }
    const { captures, session } = linkedChange(lane, this.#credentials, parts.config.device);
    await lane.deliver(captures, session, fence);
    parts.health.link(lane.account, 'linked');
    this.#steps.end({ step: 'linked' });
  }
}

/** Steps as they happen, for whoever reads them one by one. */
class Steps implements AsyncIterable<LinkStep> {
  readonly #waiting: LinkStep[] = [];
  #isOver = false;
  #error: unknown;
  #wake: () => void = () => undefined;

  push(step: LinkStep): void {
    if (!this.#isOver) this.#waiting.push(step);
    this.#wake();
  }

  end(last?: LinkStep): void {
    if (last !== undefined) this.push(last);
    this.#isOver = true;
    this.#wake();
  }

  fail(error: unknown): void {
    if (!isFailure(error, 'retry')) this.#error = error;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LinkStep> {
    for (;;) {
      const step = this.#waiting.shift();
      if (step !== undefined) yield step;
      else if (this.#isOver) break;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#error !== undefined) throw this.#error;
  }
}
