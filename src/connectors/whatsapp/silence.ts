// SPDX-License-Identifier: AGPL-3.0-or-later
import { AsyncLocalStorage } from 'node:async_hooks';

// The client's Signal library prints whole sessions, private keys included, whenever it opens or closes one. There is no switch.

const silent = new AsyncLocalStorage<true>();
const METHODS = ['debug', 'dir', 'error', 'info', 'log', 'trace', 'warn'] as const;

const output = globalThis.console;
for (const method of METHODS) {
  const print = output[method].bind(output) as (...values: unknown[]) => void;
  output[method] = (...values: unknown[]): void => {
    if (silent.getStore() === undefined) print(...values);
  };
}

type Callable = (...values: never[]) => unknown;

/** The same object, whose functions and all that follows from them print nothing. */
export function silenced<T extends object>(talkative: T): T {
  const entries = Object.entries(talkative).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'function') return [name, value];
    return [name, (...values: never[]) => silent.run(true, () => (value as Callable)(...values))];
  });
  return Object.fromEntries(entries) as T;
}
