// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyId } from '../record/key.ts';
import type { Downlink, Uplink } from './link.ts';

/** Jobs and replies that wait; beyond this `send` waits too, so that memory is bounded. */
const MOST_WAITING = 256;
const AGAIN_AFTER_MS = 50;

/**
 * The embedded transport: a hand-over within one process. It holds nothing that a crash could lose, because the spool
 * still has it.
 */
export class InProcessLink {
  readonly #jobs = new Map<string, string>();
  readonly #listeners = new Map<KeyId, (reply: string) => Promise<void> | void>();
  readonly #replies = new Map<KeyId, Promise<void>>();
  #take: ((job: string) => Promise<void>) | null = null;
  #draining: Promise<void> | null = null;
  #room: (() => void)[] = [];
  #closed = false;

  uplink(connector: KeyId): Uplink {
    return {
      connected: true,
      send: (id, job) => this.#send(id, job),
      listen: async (onReply) => void this.#listeners.set(connector, onReply),
      [Symbol.asyncDispose]: async () => void this.#listeners.delete(connector),
    };
  }

  downlink(): Downlink {
    return {
      connected: true,
      consume: async (take) => {
        this.#take = take;
        this.#drain();
      },
      reply: async (to, reply) => this.#reply(to, reply),
      [Symbol.asyncDispose]: async () => {
        this.#closed = true;
        this.#take = null;
        this.#jobs.clear();
        for (const enter of this.#room.splice(0)) enter();
        await this.#draining;
      },
    };
  }

  async #send(id: string, job: string): Promise<void> {
    while (this.#jobs.size >= MOST_WAITING && !this.#closed) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
    if (this.#closed) return;
    if (!this.#jobs.has(id)) this.#jobs.set(id, job);
    this.#drain();
  }

  #drain(): void {
    if (this.#draining !== null || this.#take === null) return;
    this.#draining = this.#work().finally(() => {
      this.#draining = null;
      if (this.#jobs.size > 0) this.#drain();
    });
  }

  async #work(): Promise<void> {
    while (this.#take !== null) {
      const next = this.#jobs.entries().next();
      if (next.done === true) return;
      const [id, job] = next.value;
      this.#jobs.delete(id);
      this.#room.shift()?.();
      try {
        await this.#take(job);
      } catch {
        // Delivered again, behind what waits: the contract of a rejected job.
        if (!this.#closed) setTimeout(() => void this.#send(id, job), AGAIN_AFTER_MS).unref();
      }
    }
  }

  /** Replies to one connector go one after the other; a listener that rejects does not stop the next. */
  #reply(to: KeyId, reply: string): void {
    const before = this.#replies.get(to) ?? Promise.resolve();
    const listener = this.#listeners.get(to);
    const next = before.then(() => listener?.(reply)).catch(() => undefined);
    this.#replies.set(to, next);
  }
}
