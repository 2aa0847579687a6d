// SPDX-License-Identifier: AGPL-3.0-or-later
import type { CacheStore } from '@whiskeysockets/baileys';

const MOST_ENTRIES = 1000;

/** A small cache that outlives connections and has no timers. The oldest entry goes first. */
export class ClientCache implements CacheStore {
  readonly #entries = new Map<string, unknown>();

  get<T>(key: string): T | undefined {
    return this.#entries.get(key) as T | undefined;
  }

  set(key: string, value: unknown): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MOST_ENTRIES && oldest !== undefined) this.#entries.delete(oldest);
  }

  del(key: string): void {
    this.#entries.delete(key);
  }

  flushAll(): void {
    this.#entries.clear();
  }
}

/** What the client remembers of an account besides its keys. */
export class ClientCaches {
  /** How often a resend was asked for. */
  readonly retries = new ClientCache();
  readonly calls = new ClientCache();
  readonly placeholders = new ClientCache();
}
