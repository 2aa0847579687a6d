// SPDX-License-Identifier: AGPL-3.0-or-later
import { Worker } from 'node:worker_threads';

export interface HunterOrder {
  /** URL of the module with the targets. */
  readonly module: string;
  readonly target: string;
  readonly seed: number;
  /** How many inputs, or for how long; the other is null. Rounds follow from the seed, so that a run can be had again. */
  readonly rounds: number | null;
  readonly seconds: number | null;
  /** Read before all others. */
  readonly first: readonly Uint8Array[];
  /** Bounds of one input: processor time, until it counts as one that never ends, memory. */
  readonly mostCpuMs: number;
  readonly stalledMs: number;
  readonly mostHeapMiB: number;
  readonly shared: SharedArrayBuffer;
}

export interface Hunted {
  readonly runs: number;
  readonly accepted: number;
  /** Of those that were read before all others. */
  readonly firstAccepted: number;
  readonly refused: Record<string, number>;
  readonly faults: { readonly why: string; readonly bytes: Uint8Array }[];
}

const MOST_BYTES = 2 ** 21;
/** A verifier that reads a few hundred KiB takes milliseconds; the other bound is for a busy machine. */
const BOUNDS = { mostCpuMs: 3000, stalledMs: 30_000, mostHeapMiB: 512 };

export type Order = Omit<HunterOrder, 'shared' | keyof typeof BOUNDS> & Partial<typeof BOUNDS>;

/** Feeds one target. An input that it does not come back from, or that takes all memory, is a fault like an error without a code. */
export async function hunt(given: Order): Promise<Hunted> {
  const order = { ...BOUNDS, ...given };
  const shared = new SharedArrayBuffer(8 + MOST_BYTES);
  const beat = new Int32Array(shared, 0, 2);
  const worker = new Worker(new URL('hunter.ts', import.meta.url), {
    workerData: { ...order, shared } satisfies HunterOrder,
    resourceLimits: { maxOldGenerationSizeMb: order.mostHeapMiB },
  });
  const underWay = (): Uint8Array => Uint8Array.from(Buffer.from(shared, 8, Atomics.load(beat, 1)));
  const ended = (why: string): Hunted => {
    return {
      runs: Atomics.load(beat, 0),
      accepted: 0,
      firstAccepted: 0,
      refused: {},
      faults: [{ why, bytes: underWay() }],
    };
  };
  return await new Promise((resolve, reject) => {
    let last = -1;
    const watch = setInterval(() => {
      const now = Atomics.load(beat, 0);
      if (now === last && now > 0) {
        clearInterval(watch);
        resolve(ended(`did not end within ${order.stalledMs} ms`));
        void worker.terminate();
      }
      last = now;
    }, order.stalledMs);
    const settle = (hunted: Hunted): void => {
      clearInterval(watch);
      resolve(hunted);
    };
    worker.once('message', settle);
    worker.once('error', (error: Error & { readonly code?: string }) => {
      // Before the first input it is no input's fault.
      if (Atomics.load(beat, 0) > 0) return settle(ended(error.code ?? error.message));
      clearInterval(watch);
      return reject(error);
    });
  });
}
