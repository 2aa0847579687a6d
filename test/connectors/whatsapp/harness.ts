// SPDX-License-Identifier: AGPL-3.0-or-later

import { onTestFinished } from 'vitest';
import { parseConfig } from '../../../src/connectors/whatsapp/config.ts';
import { NORMALISE } from '../../../src/connectors/whatsapp/index.ts';
import { WhatsAppSession } from '../../../src/connectors/whatsapp/session.ts';
import type { WhatsAppEmulator, WhatsAppEmulatorOptions } from '../../emulators/whatsapp/api.ts';
import { startWhatsAppEmulator } from '../../emulators/whatsapp/emulator.ts';
import { trustEmulator } from '../../emulators/whatsapp/trust.ts';
import { RecordedEvents } from '../../support/connector-events.ts';
import { eventually } from '../../support/eventually.ts';
import { MemorySink } from '../../support/memory-sink.ts';
import { linkedChanges } from './linked-state.ts';
import { wireOf } from './wire-of.ts';

export { wireOf } from './wire-of.ts';

export const number = '15550001111';
export const account = `+${number}`;
export const bob = '15550002222';
export const carol = '15550003333';

type Settings = Record<string, unknown>;

/** Everything fast, so that a test need not wait; nothing waits longer than it must. */
export const QUICK: Settings = {
  timeouts: { connect: '5s', query: '2s', download: '2s' },
  intervals: { retry: '30ms', sweep: '50ms', alive: '100ms' },
  thresholds: { outage: '400ms' },
};

export async function startEmulator(options: WhatsAppEmulatorOptions = {}): Promise<WhatsAppEmulator> {
  const emulator = await startWhatsAppEmulator({
    accounts: [{ number, name: 'Agency' }],
    people: [
      { number: bob, name: 'Bob' },
      { number: carol, name: 'Carol' },
    ],
    ...options,
  });
  const distrust = trustEmulator(emulator.noiseRoot);
  onTestFinished(async () => {
    await emulator[Symbol.asyncDispose]();
    distrust();
  });
  return emulator;
}

export interface CaptureOptions {
  readonly emulator?: WhatsAppEmulatorOptions;
  readonly settings?: Settings;
  readonly clock?: () => number;
  /** Not linked yet. */
  readonly unlinked?: boolean;
  /** Do not run it yet. */
  readonly idle?: boolean;
}

/** An emulator and a session that captures from it. Ends with the test. */
export class Capturing {
  readonly emulator: WhatsAppEmulator;
  readonly sink: MemorySink;
  readonly events = new RecordedEvents();
  readonly #options: CaptureOptions;
  #session: WhatsAppSession;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #mayFail = false;

  private constructor(emulator: WhatsAppEmulator, options: CaptureOptions) {
    this.emulator = emulator;
    this.#options = options;
    this.sink = new MemorySink(options.clock);
    this.#session = this.#open();
  }

  static async start(options: CaptureOptions = {}): Promise<Capturing> {
    const emulator = await startEmulator(options.emulator);
    const capturing = new Capturing(emulator, options);
    onTestFinished(async () => {
      await capturing.stop().catch((error: unknown) => {
        if (!capturing.#mayFail) throw error;
      });
    });
    if (options.unlinked !== true) {
      await capturing.sink.deliver([], linkedChanges(capturing.sink, await emulator.linkReady(number)));
    }
    if (options.idle !== true) {
      capturing.run();
      if (options.unlinked !== true) await eventually(() => capturing.state).toBe('capturing');
    }
    return capturing;
  }

  get session(): WhatsAppSession {
    return this.#session;
  }

  get state(): string {
    return this.#session.health(account).state;
  }

  get reasons(): readonly string[] {
    return this.#session.health(account).reasons;
  }

  get texts(): (string | null)[] {
    return this.sink.ofKind('message').map(({ content }) => content.text);
  }

  run(): void {
    this.#stop = new AbortController();
    this.#session = this.#open();
    this.#running = this.#session.run(this.#stop.signal);
    // Awaited by `stop` and by `ended`; until then a failure must not count as unhandled.
    this.#running.catch(() => undefined);
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

  /** A text from somebody, on its way. Returns the serial numbers in the emulator's book. */
  async say(text: string, from = bob): Promise<readonly number[]> {
    const { entries } = await this.emulator.send({ to: number, from, message: { conversation: text } });
    return entries;
  }

  #open(): WhatsAppSession {
    const settings = merge(QUICK, this.#options.settings ?? {});
    return new WhatsAppSession(
      parseConfig(settings),
      { accounts: new Map([[account, this.sink]]), clock: this.#options.clock ?? Date.now, events: this.events },
      { normalise: NORMALISE, wire: wireOf(this.emulator) },
    );
  }
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
