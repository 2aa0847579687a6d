// SPDX-License-Identifier: AGPL-3.0-or-later

import { copyFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Guard, type Service } from './guard.ts';
import { freePort } from './ports.ts';

const READY_TIMEOUT_MS = 20_000;

export interface RedisOptions {
  /** `always` survives a power cut, `everysec` is what installations run. Default `everysec`. */
  readonly appendfsync?: 'always' | 'everysec';
  /** As in redis.conf, for example `64mb`. Default: no limit. */
  readonly maxmemory?: string;
  /** Copied into the directory. Where it closes the default user, `flushall` needs `admin`. */
  readonly aclFile?: string;
  readonly admin?: { readonly username: string; readonly password: string };
}

/** A Redis of one test's own: it may be killed, restarted and emptied at will. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #guard: Guard;
  readonly #options: RedisOptions;
  #service: Service | undefined;

  constructor(port: number, options: RedisOptions) {
    this.port = port;
    this.#options = options;
    this.#guard = new Guard('redis');
    writeFileSync(join(this.dir, 'redis.conf'), configuration(port, this.dir, options));
    if (options.aclFile !== undefined) copyFileSync(options.aclFile, join(this.dir, 'users.acl'));
  }

  /** Without credentials. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Holds everything this Redis ever writes; the append-only files are in `appendonlydir`. */
  get dir(): string {
    return this.#guard.dir;
  }

  async start(): Promise<void> {
    this.#service = this.#guard.start('redis-server', 'redis-server', [join(this.dir, 'redis.conf')]);
    await this.#service.ready(() => isServing(this.port), READY_TIMEOUT_MS, join(this.dir, 'redis.log'));
  }

  /** Kill -9. What Redis had answered to is in the append-only file by then: only a power cut loses the last second. */
  async kill(): Promise<void> {
    await this.#service?.end('SIGKILL');
  }

  /** Starts again with the same port and data, after `kill` or as a restart in good order. */
  async restart(): Promise<void> {
    await this.#service?.end('SIGTERM');
    await this.start();
  }

  async flushall(): Promise<void> {
    const { admin } = this.#options;
    const login = admin === undefined ? [] : [`AUTH ${admin.username} ${admin.password}`];
    const answers = await ask(this.port, [...login, 'FLUSHALL']);
    if (answers.some((answer) => answer !== '+OK')) throw new Error(`FLUSHALL: ${answers.join(', ')}`);
  }

  /** Ends the process and removes its data. */
  async stop(): Promise<void> {
    await this.#guard.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  for (let attempt = 1; ; attempt += 1) {
    const redis = new RedisServer(await freePort(), options);
    try {
      await redis.start();
      return redis;
    } catch (error) {
      await redis.stop();
      if (attempt === 3 || !String(error).includes('Address already in use')) throw error;
    }
  }
}

function configuration(port: number, dir: string, options: RedisOptions): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir "${dir}"`,
    `logfile "${join(dir, 'redis.log')}"`,
    'daemonize no',
    'databases 16',
    // No snapshots: the append-only file alone is what installations rely on.
    'save ""',
    'appendonly yes',
    `appendfsync ${options.appendfsync ?? 'everysec'}`,
    'maxmemory-policy noeviction',
    'enable-debug-command local',
  ];
  if (options.maxmemory !== undefined) lines.push(`maxmemory ${options.maxmemory}`);
  if (options.aclFile !== undefined) lines.push(`aclfile "${join(dir, 'users.acl')}"`);
  return `${lines.join('\n')}\n`;
}

/** A refusal for want of credentials is an answer of a server that is ready; `-LOADING` is not. */
async function isServing(port: number): Promise<boolean> {
  try {
    const [answer = ''] = await ask(port, ['PING']);
    return answer === '+PONG' || answer.startsWith('-NOAUTH') || answer.startsWith('-NOPERM');
  } catch {
    return false;
  }
}

/** Sends commands whose answers are one line each. */
function ask(port: number, commands: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${commands.join('\r\n')}\r\n`));
    let received = '';
    socket.setTimeout(10_000, () => socket.destroy(new Error('Redis did not answer within 10 s')));
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text;
      const answers = received.split('\r\n').slice(0, -1);
      if (answers.length < commands.length) return;
      socket.destroy();
      resolve(answers);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('Redis closed the connection')));
  });
}
