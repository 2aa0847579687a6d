// SPDX-License-Identifier: AGPL-3.0-or-later
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Hex256 } from '../../src/record/entry-types.ts';
import type { View } from '../../src/record/message.ts';
import type { App } from '../../src/record/vocabulary.ts';
import { Opener, type OpenedRecord } from '../../src/seal/open.ts';
import type { Failure } from '../../src/base/failure.ts';
import type { AccountSpool } from '../../src/spool/account.ts';
import { Spool, type SpoolOptions } from '../../src/spool/spool.ts';
import type { SpoolStream } from '../../src/spool/streams.ts';
import { WatermarkGate, WATERMARKS, type Level } from '../../src/spool/watermark.ts';
import { CONNECTOR, ORIGIN, READER } from '../vectors/keys.ts';
import type { StoredRow } from './spool-disk.ts';
import { CLASS, LOG_KEY, MANIFEST, secret, START_MS } from './spool-parts.ts';

// A real spool on the real disk, on a clock of its own, with fixed keys. What others see of it is in spool-disk.ts.

/** Gone when the test is. */
export function temporaryDirectory(within: string = tmpdir()): string {
  const directory = mkdtempSync(join(within, 'holdfast-spool-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export class SpoolKit implements AsyncDisposable {
  readonly directory: string;
  nowMs = START_MS;
  /** Share of the volume in use. */
  usage = 0.1;
  readonly fatal: Failure[] = [];
  readonly found: [string, number][] = [];
  readonly levels: Level[] = [];
  #spool: Spool | null = null;
  readonly #changes: Partial<SpoolOptions>;

  private constructor(directory: string, changes: Partial<SpoolOptions>) {
    this.directory = directory;
    this.#changes = changes;
  }

  static async open(directory: string, changes: Partial<SpoolOptions> & { nowMs?: number } = {}): Promise<SpoolKit> {
    const { nowMs, ...options } = changes;
    const kit = new SpoolKit(directory, options);
    kit.nowMs = nowMs ?? kit.nowMs;
    kit.#spool = await Spool.open(kit.options());
    return kit;
  }

  get spool(): Spool {
    return this.#spool as Spool;
  }

  options(): SpoolOptions {
    return {
      directory: this.directory,
      origin: ORIGIN,
      manifest: MANIFEST,
      logKey: LOG_KEY,
      signingKey: CONNECTOR.privateKey,
      hostKey: secret('host'),
      deploymentKey: secret('deployment'),
      clock: () => this.nowMs,
      gate: () =>
        new WatermarkGate(
          async () => ({ used: this.usage * 1000, total: 1000 }),
          WATERMARKS,
          (level) => this.levels.push(level),
        ),
      onFatal: (failure) => this.fatal.push(failure),
      events: { doubtful: (what, count) => this.found.push([what, count]) },
      ...this.#changes,
    };
  }

  /** An account with an open stream. */
  async account(name = 'first', app: App = 'signal'): Promise<{ sink: AccountSpool; stream: SpoolStream }> {
    const sink = this.spool.account(app, name, CLASS);
    const { acct } = sink;
    const role = app === 'holdfast' ? 'process' : 'account';
    const stream =
      this.spool.currentStream(acct) ?? (await this.spool.openStream({ acct, app, role, last: null, lastGen: 0 }));
    return { sink, stream };
  }

  /** Closes the spool and opens what is on the disk. */
  async reopen(): Promise<void> {
    await this.spool[Symbol.asyncDispose]();
    this.#spool = await Spool.open(this.options());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spool[Symbol.asyncDispose]();
  }
}

/** Opens records with the reader's key: what can be read of them after everything that happened. */
export class Reader {
  readonly #opener = new Opener(READER.privateKey, READER.recipient.kid);
  readonly #directory: string;

  constructor(directory: string, documents: Iterable<string>) {
    this.#directory = directory;
    for (const document of documents) this.#opener.addEpoch(document);
  }

  open({ line, body }: Pick<StoredRow, 'line' | 'body'>): Promise<OpenedRecord> {
    if (body === null) throw new Error('a record without a body');
    return this.#opener.open(line, body, (hash) => this.sealedObject(hash));
  }

  async raw(row: Pick<StoredRow, 'line' | 'body'>): Promise<string> {
    return (await this.open(row)).parts.raw.toString();
  }

  async view(row: Pick<StoredRow, 'line' | 'body'>): Promise<View> {
    return JSON.parse((await this.open(row)).parts.view.toString()) as View;
  }

  sealedObject(hash: Hex256): AsyncIterable<Uint8Array> {
    return createReadStream(join(this.#directory, 'objects', hash));
  }
}

/** Waits for something that comes by itself. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Code of what a promise was rejected with, or null. */
export async function rejectionOf(promise: Promise<unknown>): Promise<string | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name;
  }
}
