// SPDX-License-Identifier: AGPL-3.0-or-later

/** A lock, first come first served, like the one lock that all WebSocket writes of the REST process share. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Resolves with the release function once all earlier holders have released. */
  async acquire(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#tail;
    this.#tail = promise;
    await before;
    return resolve;
  }
}
