// SPDX-License-Identifier: AGPL-3.0-or-later
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { WhatsAppEmulator, WhatsAppEmulatorOptions } from './api.ts';

/** What the process says of itself when it listens. */
export type Greeting = Pick<WhatsAppEmulator, 'url' | 'mediaUrl' | 'noiseRoot' | 'caCertificate'>;

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string };

type Method = (...args: readonly unknown[]) => Promise<unknown>;

/** Starts an emulator in a process of its own. Ends with this process, or when disposed. */
export async function forkWhatsAppEmulator(options: WhatsAppEmulatorOptions = {}): Promise<WhatsAppEmulator> {
  const child = fork(new URL('main.ts', import.meta.url), [], { serialization: 'advanced', execArgv: [] });
  child.send(options);
  const [greeting] = (await once(child, 'message')) as [Greeting];
  const methods = new Map<string, unknown>(Object.entries(greeting));
  // Or `await` would take the proxy for a promise.
  methods.set('then', undefined);
  const call = callsOf(child);
  const dispose = async (): Promise<void> => {
    const exit = once(child, 'exit');
    child.kill();
    await exit;
  };
  // One proxy instead of forty lines that would each say the same; its type is the interface it stands for.
  return new Proxy({} as WhatsAppEmulator, {
    get: (_target, name) => {
      if (name === Symbol.asyncDispose) return dispose;
      if (typeof name === 'symbol') return undefined;
      return methods.has(name) ? methods.get(name) : call(name);
    },
  });
}

function callsOf(child: ChildProcess): (method: string) => Method {
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let id = 0;
  child.on('message', (answer: Answer) => {
    const waiting = open.get(answer.id);
    open.delete(answer.id);
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer.value);
  });
  child.on('exit', () => {
    for (const { reject } of open.values()) reject(new Error('the emulator ended'));
  });
  return (method) => {
    return async (...args) => {
      id += 1;
      const waiting = Promise.withResolvers<unknown>();
      open.set(id, waiting);
      child.send({ id, method, args } satisfies Call);
      return await waiting.promise;
    };
  };
}
