// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import type { SignalEmulator } from '../emulators/signal/emulator.ts';
import { edited, incoming, sentFromPhone } from '../emulators/signal/envelopes.ts';
import type { PayloadObject } from '../emulators/signal/frame.ts';
import { account, dana, groupId, kessler } from '../emulators/signal/test-world.ts';
import { OWNER } from './e2e-deployment.ts';
import type { SeededRandom } from './random.ts';

const EVERY_MS = 40;
const MOST_PENDING = 200;

/** Messages of all sorts that keep coming, whatever stands or falls meanwhile: at least 20 a second. Follows from its seed. */
export class Load {
  readonly #emulator: SignalEmulator;
  readonly #random: SeededRandom;
  readonly #pending = new Set<Promise<unknown>>();
  #clockMs = 0;
  #running: Promise<void> = Promise.resolve();
  #stopped = true;
  #activeMs = 0;
  sent = 0;
  duplicates = 0;

  constructor(emulator: SignalEmulator, random: SeededRandom) {
    this.#emulator = emulator;
    this.#random = random;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#running = this.#run();
  }

  /** Resolves when Signal has nothing more under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#pending);
  }

  get perSecond(): number {
    return Math.round((1000 * this.sent) / this.#activeMs);
  }

  async #run(): Promise<void> {
    const startMs = Date.now();
    for (let next = startMs; !this.#stopped; next += EVERY_MS) {
      // What a full machine held up is made good.
      await sleep(Math.max(1, next - Date.now()));
      if (this.#pending.size >= MOST_PENDING) await Promise.race(this.#pending);
      this.#send();
    }
    this.#activeMs += Date.now() - startMs;
  }

  #send(): void {
    const isDouble = this.#random.below(20) === 0;
    this.duplicates += isDouble ? 1 : 0;
    this.sent += 1;
    const sending = this.#emulator.receive(account, this.#next(), isDouble ? { copies: 2 } : {});
    this.#pending.add(sending);
    void sending.finally(() => this.#pending.delete(sending));
  }

  #next(): PayloadObject {
    this.#clockMs = Math.max(this.#clockMs + 1, Date.now());
    const at = this.#clockMs;
    const text = `${this.sent} ${this.#random.hex(1 + this.#random.below(300))}`;
    const group = { internalId: groupId, name: 'Field Office Ops & Co', revision: 1 };
    switch (this.#random.below(12)) {
      case 0:
        return edited(dana, at, at - 1 - this.#random.below(500), { text });
      case 1:
        return sentFromPhone(OWNER, at, dana, { text });
      case 2:
        return incoming(kessler, at, { text, group });
      case 3: {
        const id = `${at}.bin`;
        const size = 1 + this.#random.below(20_000);
        return incoming(dana, at, {
          text,
          attachments: [{ id, contentType: 'application/octet-stream', size, filename: id }],
        });
      }
      // Longer than a record's body.
      case 4:
        return incoming(dana, at, { text: this.#random.below(8) === 0 ? `${text}${this.#random.hex(70_000)}` : text });
      default:
        return incoming(dana, at, { text });
    }
  }
}
