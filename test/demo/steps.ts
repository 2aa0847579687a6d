// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ConnectorStatus } from '../../src/main/housekeeping.ts';

const CLI = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));
const REDIRECT = new URL('../emulators/whatsapp/redirect.ts', import.meta.url).href;

export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/** Runs one `holdfast` command to its end. */
export async function holdfast(...args: string[]): Promise<Finished> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** Runs one `holdfast` command to its end and tells of everything it prints. */
export async function watch(args: readonly string[], onOutput: (all: string) => void): Promise<number | null> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => onOutput((output += chunk.toString())));
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

/** A `holdfast` that keeps running, and what it wrote to its log. */
export class Running {
  readonly #child: ChildProcess;
  #log = '';

  /** `env` is for the preload that leads connections to WhatsApp's servers to the emulated one. */
  constructor(env: Readonly<Record<string, string>>, ...args: string[]) {
    this.#child = spawn(process.execPath, ['--import', REDIRECT, CLI, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    process.once('exit', () => this.#child.kill('SIGKILL'));
  }

  get log(): string {
    return this.#log;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await closed;
  }
}

/** Waits until `holds`, and says what it waited for when it gives up. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, timeoutMs = 20_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(100)) if (await holds()) return;
  throw new Error(`the demo waited in vain for ${what}`);
}

export async function readStatus(spool: string): Promise<ConnectorStatus | null> {
  const text = await readFile(join(spool, 'connector.status.json'), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as ConnectorStatus);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
