// SPDX-License-Identifier: AGPL-3.0-or-later
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { need, type Config } from '../base/config.ts';
import { codeOf, Failure } from '../base/failure.ts';
import type { LinkOptions, LinkStep } from '../connectors/connector.ts';
import type { OpenSession } from './connector-role.ts';

/*
 * Where the state of a linked device is in the spool, only the process that has the spool open can link. `holdfast link` asks it by a
 * file, because nothing here listens: `<account>.request` stays for as long as somebody looks, `<account>.steps` gets a line of JSON a
 * step. The steps hold codes that are good for a minute, so the files are for this user only and go with the request.
 */

const LOOK_EVERY_MS = 500;
/** A running connector notices a request in this time. */
const ANSWER_MS = 10_000;

export function linkDirectory(config: Config): string {
  return join(need(config.spool, 'spool', 'linking').directory, 'link');
}

/** The connector's side. */
export class LinkDesk implements Disposable {
  readonly #directory: string;
  readonly #sessions: readonly OpenSession[];
  readonly #signal: AbortSignal;
  readonly #busy = new Map<string, AbortController>();
  #timer: NodeJS.Timeout | null = null;

  constructor(directory: string, sessions: readonly OpenSession[], signal: AbortSignal) {
    this.#directory = directory;
    this.#sessions = sessions;
    this.#signal = signal;
  }

  open(): void {
    rmSync(this.#directory, { recursive: true, force: true });
    mkdirSync(this.#directory, { mode: 0o700 });
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  #look(): void {
    const asked = new Set(
      readdirSync(this.#directory).flatMap((file) => /^([a-z0-9-]+)\.request$/.exec(file)?.[1] ?? []),
    );
    for (const [name, stop] of this.#busy) if (!asked.has(name)) stop.abort();
    for (const name of asked) if (!this.#busy.has(name)) void this.#link(name);
  }

  async #link(name: string): Promise<void> {
    const stop = new AbortController();
    this.#busy.set(name, stop);
    let last: LinkStep['step'] | null = null;
    const tell = (step: LinkStep): void => {
      last = step.step;
      this.#tell(name, step);
    };
    try {
      const { session, account } = this.#find(name);
      const signal = AbortSignal.any([stop.signal, this.#signal]);
      for await (const step of session.link(account, signal, this.#options(name))) tell(step);
      if (last === null) tell({ step: 'failed', reason: 'ended' });
    } catch (error) {
      tell({ step: 'failed', reason: codeOf(error) });
    } finally {
      rmSync(this.#file(name, 'request'), { force: true });
      this.#busy.delete(name);
    }
  }

  #find(name: string): { session: OpenSession['session']; account: string } {
    for (const { session, labels } of this.#sessions) {
      for (const [account, label] of labels) if (label === name) return { session, account };
    }
    throw new Failure('config/account-unknown', { expected: 'an account of this connector', got: 'another name' });
  }

  #options(name: string): LinkOptions {
    try {
      const { code } = JSON.parse(readFileSync(this.#file(name, 'request'), 'utf8')) as LinkOptions;
      return { code: code === true };
    } catch {
      return {};
    }
  }

  #tell(name: string, step: LinkStep): void {
    if (existsSync(this.#file(name, 'request')))
      appendFileSync(this.#file(name, 'steps'), `${JSON.stringify(step)}\n`, { mode: 0o600 });
  }

  #file(name: string, what: 'request' | 'steps'): string {
    return join(this.#directory, `${name}.${what}`);
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const stop of this.#busy.values()) stop.abort();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The operator's side: asks, and yields what the connector answers. Throws `config/connector-away`. */
export async function* askDesk(
  directory: string,
  name: string,
  options: LinkOptions,
  signal: AbortSignal,
): AsyncGenerator<LinkStep> {
  const request = join(directory, `${name}.request`);
  const steps = join(directory, `${name}.steps`);
  if (!existsSync(directory)) throw away();
  writeFileSync(request, JSON.stringify({ code: options.code === true }), { mode: 0o600 });
  try {
    const untilMs = performance.now() + ANSWER_MS;
    for (let told = 0; !signal.aborted;) {
      const lines = linesOf(steps);
      for (const line of lines.slice(told)) {
        const step = JSON.parse(line) as LinkStep;
        yield step;
        if (step.step === 'linked' || step.step === 'failed') return;
      }
      told = lines.length;
      if (told === 0 && performance.now() > untilMs) throw away();
      if (told > 0 && !existsSync(request)) return;
      await sleep(LOOK_EVERY_MS / 2, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    rmSync(request, { force: true });
    rmSync(steps, { force: true });
  }
}

function linesOf(file: string): string[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '');
}

function away(): Failure {
  return new Failure('config/connector-away', {
    expected: 'a running connector of this config, on this host',
    got: 'nobody who answers',
    fix: 'start it with `holdfast up` or `holdfast connect`, then link',
  });
}
