// SPDX-License-Identifier: AGPL-3.0-or-later

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AccountSink } from '../../../src/connectors/connector.ts';
import { parseConfig } from '../../../src/connectors/signal/config.ts';
import { SignalSession } from '../../../src/connectors/signal/session.ts';
import type { SignalEmulator } from '../../emulators/signal/emulator.ts';
import { account, startWorld } from '../../emulators/signal/test-world.ts';
import type { SignalEmulatorOptions } from '../../emulators/signal/options.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { MemorySink } from '../../support/memory-sink.ts';
import { eventually } from '../../support/eventually.ts';

export const ownUuid = '7c0e2c1a-5b1e-4f0e-9a53-1d1b7f0a9e01';

type Settings = Record<string, unknown>;

/** Everything fast, so that a test need not wait; nothing waits longer than it must. */
export const QUICK: Settings = {
  timeouts: { rest: '2s', restRetry: '20ms', link: '2s', attachmentIdle: '2s' },
  intervals: {
    accounts: '100ms',
    journal: '50ms',
    identities: '200ms',
    groups: '1h',
    contacts: '1h',
    devices: '200ms',
    sweep: '50ms',
    report: '1h',
    alive: '100ms',
    linkPoll: '50ms',
    retry: '50ms',
  },
  thresholds: {
    outage: '400ms',
    intakeDown: '300ms',
    referenceGrace: '300ms',
    webhookGrace: '300ms',
    attachmentMissing: '300ms',
    attachmentShort: '300ms',
    attachmentDelete: '1ms',
  },
};

export interface CaptureOptions {
  readonly emulator?: Partial<SignalEmulatorOptions>;
  /** Intakes to use; all by default. */
  readonly intakes?: readonly ('webhook' | 'journal' | 'websocket')[];
  readonly settings?: Settings;
  readonly accounts?: ReadonlyMap<string, AccountSink>;
  readonly clock?: () => number;
}

/** An emulator and a session that captures from it. Ends with the test. */
export class Capturing {
  readonly emulator: SignalEmulator;
  readonly sink: MemorySink;
  readonly events: RecordedEvents;
  readonly #options: CaptureOptions;
  readonly #accounts: ReadonlyMap<string, AccountSink>;
  #session: SignalSession;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #mayFail = false;

  constructor(emulator: SignalEmulator, options: CaptureOptions) {
    this.emulator = emulator;
    this.#options = options;
    this.sink = new MemorySink(options.clock);
    this.events = new RecordedEvents();
    this.#accounts = options.accounts ?? new Map([[account, this.sink]]);
    this.#session = this.#open();
  }

  static async start(options: CaptureOptions = {}): Promise<Capturing> {
    const emulator = await startWorld({ trustNewIdentities: 'always', ...options.emulator });
    const capturing = new Capturing(emulator, options);
    onTestFinished(async () => {
      await capturing.#cleanUp();
      await emulator[Symbol.asyncDispose]();
    });
    await capturing.run();
    return capturing;
  }

  get session(): SignalSession {
    return this.#session;
  }

  get state(): string {
    return this.#session.health(account).state;
  }

  /** Runs the session; resolves when the webhook, where there is one, can be reached, or the session failed. */
  async run(): Promise<void> {
    this.#stop = new AbortController();
    this.#session = this.#open();
    this.#running = this.#session.run(this.#stop.signal);
    // Awaited by `stop` and by `ended`; until then a failure must not count as unhandled.
    let isOver = false;
    this.#running.catch(() => undefined).finally(() => (isOver = true));
    if (!this.#uses('webhook')) return;
    await eventually(() => isOver || this.#session.webhookUrl !== null).toBe(true);
    this.emulator.webhookUrl = this.#session.webhookUrl ?? '';
  }

  /** Ends the session; throws what it throws. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** What the session ends with by itself. Whoever asks expects it to fail. */
  get ended(): Promise<void> {
    this.#mayFail = true;
    return this.#running;
  }

  /** A session that failed fails its test, unless the test looked. */
  async #cleanUp(): Promise<void> {
    await this.stop().catch((error: unknown) => {
      if (!this.#mayFail) throw error;
    });
  }

  #open(): SignalSession {
    const { emulator, events } = this;
    const config = parseConfig(
      merge(
        {
          api: emulator.url,
          ...(this.#uses('webhook') ? { webhook: { port: 0 } } : {}),
          ...(this.#uses('journal') ? { journal: emulator.journalPath } : {}),
          websocket: this.#uses('websocket'),
        },
        merge(QUICK, this.#options.settings ?? {}),
      ),
    );
    return new SignalSession(config, { accounts: this.#accounts, clock: this.#options.clock ?? Date.now, events });
  }

  #uses(intake: 'webhook' | 'journal' | 'websocket'): boolean {
    return this.#options.intakes?.includes(intake) ?? true;
  }
}

/** A directory that goes away when the test is over. */
export async function temporaryDir(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'signal-connector-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function merge(base: Settings, over: Settings): Settings {
  const merged = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const below = base[name];
    const isNested = typeof value === 'object' && value !== null && typeof below === 'object' && below !== null;
    merged[name] = isNested && !Array.isArray(value) ? { ...below, ...value } : value;
  }
  return merged;
}
