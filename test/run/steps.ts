// SPDX-License-Identifier: AGPL-3.0-or-later

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { delimiter, dirname, join } from 'node:path';
import type { Guard } from '../services/guard.ts';

export const PROJECT_DIR = fileURLToPath(new URL('../../', import.meta.url));

/** How long the run has been at each of its steps, for the reader who waits and the one who asks what hung. */
export class Progress {
  readonly #startedAt = Date.now();
  readonly #running = new Map<string, number>();

  async step<T>(name: string, act: () => Promise<T>, describe: (result: T) => string): Promise<T> {
    const startedAt = Date.now();
    this.#running.set(name, startedAt);
    const line = (outcome: string): void => console.log(`${name.padEnd(10)} ${seconds(startedAt)}  ${outcome}`);
    try {
      const result = await act();
      line(describe(result));
      return result;
    } catch (error) {
      line('failed');
      throw error;
    } finally {
      this.#running.delete(name);
    }
  }

  get total(): string {
    return seconds(this.#startedAt).trim();
  }

  get running(): readonly string[] {
    return [...this.#running].map(([name, startedAt]) => `${name}, for ${seconds(startedAt).trim()}`);
  }
}

/** The same Node and the tools of this checkout for all programs the run starts, whatever the caller's path says. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  const own = [dirname(process.execPath), join(PROJECT_DIR, 'node_modules', '.bin')];
  const path = [...own, process.env['PATH'] ?? ''].join(delimiter);
  const isPlain = !process.stdout.isTTY && process.env['FORCE_COLOR'] === undefined;
  return { ...process.env, PATH: path, ...(isPlain ? { NO_COLOR: '1' } : {}) };
}

/** Runs a check to its end; `output` is what to show of it. */
export async function runCheck(guard: Guard, command: string, args: readonly string[]): Promise<CheckResult> {
  const program = join(PROJECT_DIR, 'node_modules', '.bin', command);
  const child = spawn(program, args, {
    cwd: PROJECT_DIR,
    env: toolEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  guard.watch(child, { group: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const isOk = (await ended(child)) === 0;
  return { isOk, output };
}

export interface CheckResult {
  readonly isOk: boolean;
  readonly output: string;
}

/** The exit code; 1 for a program that did not start or was killed. */
export async function ended(child: ChildProcess): Promise<number> {
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return code ?? 1;
  } catch {
    return 1;
  }
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`.padStart(7);
}
