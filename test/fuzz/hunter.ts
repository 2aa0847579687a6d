// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { FORMAT_CODES } from '../../src/record/format-error.ts';
import { FAILURES } from '../../src/base/failure.ts';
import { SeededRandom } from '../support/random.ts';
import type { Hunted, HunterOrder } from './hunt.ts';
import { mutated } from './mutate.ts';
import type { Target } from './target.ts';

// Runs one target in a thread of its own, so that what never ends, or takes all memory, is found as well.

const MOST_FAULTS = 5;
const MOST_MESSAGE = 2000;
const KNOWN: ReadonlySet<string> = new Set<string>([...FORMAT_CODES, ...Object.keys(FAILURES)]);

const order = workerData as HunterOrder;
const { targets } = (await import(order.module)) as { targets: () => Promise<readonly Target[]> };
const found = (await targets()).find(({ name }) => name === order.target);
if (found === undefined) throw new Error(`no target ${order.target}`);
const target: Target = found;
const beat = new Int32Array(order.shared, 0, 2);
const scratch = Buffer.from(order.shared, 8);
const hunted: { -readonly [K in keyof Hunted]: Hunted[K] } = {
  runs: 0,
  accepted: 0,
  firstAccepted: 0,
  refused: {},
  faults: [],
};

/** The bytes are put down before they are read: whoever ends this thread knows them. */
async function run(bytes: Buffer): Promise<void> {
  bytes.copy(scratch);
  Atomics.store(beat, 1, Math.min(bytes.length, scratch.length));
  Atomics.add(beat, 0, 1);
  const before = process.threadCpuUsage();
  const why = await judge(bytes);
  const { user, system } = process.threadCpuUsage(before);
  hunted.runs += 1;
  if (why !== null) hunted.faults.push({ why, bytes: Uint8Array.from(bytes) });
  else if (user + system > order.mostCpuMs * 1000) hunted.faults.push({ why: 'slow', bytes: Uint8Array.from(bytes) });
}

/** Null if the bytes were read, or refused with a code that is documented. */
async function judge(bytes: Buffer): Promise<string | null> {
  try {
    await target.read(bytes);
    hunted.accepted += 1;
    return null;
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    if (!(error instanceof Error) || typeof code !== 'string' || !KNOWN.has(code)) {
      return error instanceof Error ? (error.stack ?? error.message).slice(0, MOST_MESSAGE) : 'not an error';
    }
    if (typeof message === 'string' && message.length > MOST_MESSAGE)
      return `a message of ${message.length} characters`;
    hunted.refused[code] = (hunted.refused[code] ?? 0) + 1;
    return null;
  }
}

function mended(bytes: Buffer): Buffer {
  try {
    return target.mend?.(bytes) ?? bytes;
  } catch {
    return bytes;
  }
}

const random = new SeededRandom(createHash('sha256').update(`${order.seed} ${target.name}`).digest().readUInt32BE());
for (const bytes of order.first) await run(Buffer.from(bytes));
hunted.firstAccepted = hunted.accepted;
const untilMs = order.seconds === null ? Infinity : performance.now() + order.seconds * 1000;
const rounds = order.rounds === null ? Infinity : Math.ceil(order.rounds / (target.slowness ?? 1));
for (let round = 0; round < rounds && performance.now() < untilMs && hunted.faults.length < MOST_FAULTS; round += 1) {
  const bytes = mutated(target.examples, random);
  await run(random.below(2) === 0 ? bytes : mended(bytes));
}
parentPort?.postMessage(hunted);
