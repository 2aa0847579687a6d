// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import type { Downlink, LinkEvents, Uplink } from '../../src/queue/link.ts';

/** What the suite sets so that it need not wait. */
export interface Settings {
  readonly concurrency: number;
  readonly closeMs: number;
  readonly againAfterMs: readonly [first: number, most: number];
}

export const QUICK: Settings = { concurrency: 8, closeMs: 5000, againAfterMs: [5, 50] };

/** One transport under test, empty at first; its ends come and go. */
export interface Transport {
  uplink(connector?: string): Uplink;
  downlink(): Downlink;
}

export type OpenTransport = (settings: Settings, events: LinkEvents) => Transport;

/** Codes of all trouble, by what it was about. */
export class Troubles implements LinkEvents {
  readonly seen: string[] = [];

  trouble(what: string, code: string): void {
    this.seen.push(`${what} ${code}`);
  }
}

export const CONNECTOR = '00112233445566778899aabbccddeeff';

export async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = 40_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not so after ${timeoutMs} ms: ${what}`);
    await sleep(5);
  }
}

/** Names as the project makes them. */
export function idOf(index: number): string {
  return `b-${index.toString(16).padStart(64, '0')}`;
}

export async function codeOfFailure(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    return (error as Failure).code;
  }
  return 'none';
}

/** Sends as the spool does: again and again until the transport takes it. */
export async function sendStubbornly(uplink: Uplink, id: string, job: string): Promise<void> {
  for (;;) {
    try {
      return await uplink.send(id, job);
    } catch (error) {
      expect((error as Failure).kind).toBe('retry');
      await sleep(50);
    }
  }
}

/** A promise and what settles it. */
export function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

/** Small, seeded, good enough to choose when to kill. */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
