// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('spool-child.ts', import.meta.url));

export interface ChildOptions {
  readonly prefix: string;
  readonly count: number;
  readonly flights?: number;
  readonly mediaEvery?: number;
  /** What the child is run with: a tracer that injects errors. */
  readonly under?: readonly string[];
}

/** A spool in a process of its own, and what it said before it ended. */
export class SpoolProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = '';
  onLine: (lines: number) => void = () => undefined;

  constructor(directory: string, { prefix, count, flights = 64, mediaEvery = 0, under = [] }: ChildOptions) {
    const [command, ...args] = [...under, process.execPath, CHILD, directory, prefix, count, flights, mediaEvery].map(
      String,
    );
    this.#child = spawn(command ?? '', args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] ?? '' },
    });
    this.#ended = once(this.#child, 'close');
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString();
      this.onLine(this.#said.split('\n').length - 1);
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  /** Everything it said, in whole lines. */
  all(): string[] {
    return this.#said.split('\n').slice(0, -1);
  }

  /** Lines that start with the word, as their other words. */
  lines(word: string): string[][] {
    return this.all()
      .filter((line) => line.startsWith(`${word} `) || line === word)
      .map((line) => line.split(' ').slice(1));
  }

  /** What was acknowledged: id → number of its record. */
  acknowledged(): Map<string, number> {
    return new Map(this.lines('acknowledged').map(([id = '', seq = '']) => [id, Number(seq)]));
  }
}
