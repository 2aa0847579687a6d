// SPDX-License-Identifier: AGPL-3.0-or-later

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { searchPath } from './packages.ts';

/**
 * Reads `watch <pid>` and `forget <pid>`. Its input ends when its owner ends, however that happens, kill -9 included; then
 * it kills what is watched (a negative id is a process group), waits a moment, since what is dead can still be listed, and
 * removes the directory. Of what is already gone it keeps no id, because the system gives ids to others.
 */
const GUARD_SCRIPT = `
pids=
while read -r word id; do
  others=
  for other in $pids; do [ "$other" = "$id" ] || others="$others $other"; done
  pids=$others
  [ "$word" = watch ] && pids="$pids $id"
done
for id in $pids; do kill -9 "$id"; done 2>/dev/null
tries=0
for id in $pids; do
  while kill -0 "$id" 2>/dev/null && [ $tries -lt 10 ]; do sleep 0.1; tries=$((tries + 1)); done
done
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; } || { sleep 4; rm -rf -- "$1"; }
`;

/** A temporary directory and processes that do not outlive the process that made them. */
export class Guard implements AsyncDisposable {
  readonly dir: string;
  readonly #shell: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(label: string) {
    this.dir = mkdtempSync(join(tmpdir(), `holdfast-${label}-`));
    // In a session of its own: what ends this process by its group or its terminal does not end the guard.
    this.#shell = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'guard', this.dir], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    });
    this.#ended = once(this.#shell, 'close');
    this.#shell.stdin?.on('error', () => undefined);
  }

  /** Watches a process, or with `{ group: true }` the group it leads, until it ends. */
  watch(child: ChildProcess, { group = false } = {}): void {
    if (child.pid === undefined) return;
    const id = group ? -child.pid : child.pid;
    this.#shell.stdin?.write(`watch ${id}\n`);
    // A group may outlive its leader, and its id stays taken as long as it does.
    if (!group) child.once('exit', () => this.#shell.stdin?.write(`forget ${id}\n`));
  }

  /** Starts a program that runs until it is ended; what it prints goes to `<name>.out` in the directory. */
  start(name: string, program: string, args: readonly string[]): Service {
    return new Service(this, name, program, args);
  }

  /** Ends all processes and removes the directory. */
  async end(): Promise<void> {
    this.#shell.stdin?.end();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** One running program of a guard. */
export class Service {
  readonly #name: string;
  readonly #outputFile: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #how: string | undefined;

  constructor(guard: Guard, name: string, program: string, args: readonly string[]) {
    this.#name = name;
    this.#outputFile = join(guard.dir, `${name}.out`);
    const output = openSync(this.#outputFile, 'a');
    this.#child = spawn(program, args, {
      stdio: ['ignore', output, output],
      env: serviceEnvironment(),
      cwd: guard.dir,
    });
    closeSync(output);
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#how ??= error.message;
        resolve();
      });
      this.#child.once('exit', (code, signal) => {
        this.#how ??= `ended with ${signal ?? `code ${code}`}`;
        resolve();
      });
    });
    guard.watch(this.#child);
  }

  get isRunning(): boolean {
    return this.#how === undefined;
  }

  /** Sends the signal and waits for the end. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.isRunning) this.#child.kill(signal);
    await this.#ended;
  }

  /** Waits until `isReady` says true. Throws with the program's own words if it ends before, or takes longer. */
  async ready(isReady: () => Promise<boolean>, timeoutMs: number, logFile = this.#outputFile): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (!this.isRunning) throw new Error(`${this.#name} ${this.#how}:\n${tail(this.#outputFile)}\n${tail(logFile)}`);
      if (await isReady()) return;
      if (Date.now() > deadline) {
        throw new Error(
          `${this.#name} was not ready after ${timeoutMs} ms:\n${tail(this.#outputFile)}\n${tail(logFile)}`,
        );
      }
      await sleep(20);
    }
  }
}

/** Runs a program to its end and gives its output; throws with what it complained of. */
export async function runTool(program: string, args: readonly string[], timeoutMs = 60_000): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: serviceEnvironment(),
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code === 0) return output;
  throw new Error(`${program} ${args[0] ?? ''} ended with ${signal ?? `code ${code}`}:\n${complaint.slice(-2000)}`);
}

/** Nothing of the caller's own configuration: Ceph reads `CEPH_ARGS` and `CEPH_CONF`, Python reads more. */
function serviceEnvironment(): NodeJS.ProcessEnv {
  return { PATH: searchPath(), HOME: '/nonexistent', LC_ALL: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' };
}

function tail(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').slice(-2000) : '';
}
