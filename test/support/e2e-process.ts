// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Guard } from '../services/guard.ts';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
export const CLI = join(PROJECT, 'src', 'main', 'cli.ts');

/** Where a program is run: which build of Holdfast, in which directory, with which environment besides the least one. */
export interface Surroundings {
  readonly guard: Guard;
  /** `cli.ts` of another build than this checkout's. */
  readonly cli?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing of the test's own environment, which holds the keys of the test's services. */
function environment({ guard, env }: Surroundings): Record<string, string> {
  const home = join(guard.dir, 'home');
  const tmp = join(guard.dir, 'tmp');
  for (const dir of [home, tmp]) mkdirSync(dir, { recursive: true });
  // Dozens of starts of one program: Node keeps what it compiled of it, in a place of all tests of a run.
  const cache = join(tmpdir(), 'holdfast-e2e-compiled');
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    TMPDIR: tmp,
    LC_ALL: 'C.UTF-8',
    NODE_COMPILE_CACHE: cache,
    ...env,
  };
}

/** Starts one `holdfast` command; its guard ends it if nobody else does. */
export function launch(args: readonly string[], surroundings: Surroundings): ChildProcess {
  const { guard, cli = CLI, cwd = guard.dir } = surroundings;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', cli, ...args], {
    cwd,
    env: environment(surroundings),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  guard.watch(child);
  return child;
}

/** Runs one `holdfast` command to its end. */
export async function runHoldfast(args: readonly string[], surroundings: Surroundings): Promise<Finished> {
  const child = launch(args, surroundings);
  const printed = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...printed };
}

/** Polls until `holds`; says in vain for what it waited. */
export async function until(
  what: string | (() => string),
  holds: () => Promise<boolean> | boolean,
  timeoutMs = 60_000,
): Promise<void> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(50)) if (await holds()) return;
  throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`);
}

export interface DaemonOptions extends Surroundings {
  readonly args: readonly string[];
  /** Started again whenever it ends by itself, as systemd or compose would. */
  readonly isKept?: boolean;
}

const AGAIN_AFTER_MS = 200;

/** A `holdfast` that keeps running: may be stopped, killed and started again, and remembers all that it ever printed. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #role: string;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #wanted = false;
  #printedBefore = 0;
  #line = '';
  readonly #counts = new Map<string, number>();
  /** Standard output and standard error of all its lives. */
  printed = '';
  /** How each of its lives ended: exit code, or signal. */
  readonly ends: (number | string | null)[] = [];

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#role = options.args[0] ?? '';
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** True once the present life said that it has started. */
  get hasStarted(): boolean {
    return this.isRunning && this.printed.includes('"event":"role.started"', this.#printedBefore);
  }

  /** Events of a name, over all its lives. */
  events(event: string): Record<string, unknown>[] {
    return this.printed
      .split('\n')
      .filter((line) => line.startsWith('{') && line.includes(`"event":"${event}"`))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** How many of them. */
  count(event: string): number {
    return this.#counts.get(event) ?? 0;
  }

  #print(text: string): void {
    this.printed += text;
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) {
      const [, event = ''] = /"event":"([a-z.-]+)"/.exec(line) ?? [];
      this.#counts.set(event, this.count(event) + 1);
    }
  }

  start(): void {
    if (this.#child !== null) return;
    this.#wanted = true;
    this.#printedBefore = this.printed.length;
    const child = launch(this.#options.args, this.#options);
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#print(text));
    }
    this.#ended = once(child, 'close').then(([code, signal]) => {
      this.ends.push((signal ?? code) as string | number | null);
      this.#child = null;
      if (this.#wanted && this.#options.isKept === true) setTimeout(() => this.#wanted && this.start(), AGAIN_AFTER_MS);
    });
  }

  async started(): Promise<void> {
    this.start();
    await until(
      () => `${this.#role} to start; it printed\n${this.printed.slice(this.#printedBefore)}`,
      () => this.hasStarted || (!this.isRunning && this.#options.isKept !== true),
    );
    if (!this.hasStarted) throw new Error(`${this.#role} ended:\n${this.printed.slice(this.#printedBefore)}`);
  }

  /** Sends a signal and waits for the end. It is not started again. Resolves with the exit code, or the signal's name. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null> {
    this.#wanted = false;
    this.#child?.kill(signal);
    await this.#ended;
    return this.ends.at(-1) ?? null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }
}
