// SPDX-License-Identifier: AGPL-3.0-or-later
// Capture to spool with 64 deliveries in flight: records a second and how long an acknowledgement takes, beside what an fsync takes on
// the same disk in the same run. Run: npx node bench/spool.ts [directory]
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccountSpool } from '../src/spool/account.ts';
import { CLASS, message } from '../test/support/spool-parts.ts';
import { atLeast, atMost, median, noted, tell } from './figures.ts';
import { openSpool } from './spool-role.ts';

const ROUNDS = 7;
const RECORDS = 20_000;
const IN_FLIGHT = 64;
const RAW_BYTES = 420;
const WANTED = { perSecond: 5000, p99Ms: 20 };

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of a record: what is left of it when others use the machine too. */
  readonly cpuUs: number;
}

const at = (sorted: readonly number[], share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
function raw(id: string): Buffer {
  const envelope = {
    source: '+12025550171',
    timestamp: 1_786_000_061_013,
    id,
    dataMessage: { message: 'Meeting moved to 14:30, bring the binder.' },
  };
  return Buffer.from(JSON.stringify({ envelope, account: '+12025550100' }).padEnd(RAW_BYTES, ' '));
}

/** Every delivery is one message, acknowledged by itself, as a messenger's queue wants it. */
async function deliverMany(sink: AccountSpool, round: number): Promise<Measured> {
  const captures = Array.from({ length: RECORDS }, (_, no) =>
    message(`${round}-${no}`, { raw: raw(`${round}-${no}`) }),
  );
  const waitedMs: number[] = [];
  let next = 0;
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      for (let capture = captures[next]; capture !== undefined; capture = captures[next]) {
        next += 1;
        const sentMs = performance.now();
        await sink.deliver([capture]);
        waitedMs.push(performance.now() - sentMs);
      }
    }),
  );
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = waitedMs.toSorted((a, b) => a - b);
  return {
    perSecond: (RECORDS / tookMs) * 1000,
    p50Ms: at(sorted, 0.5),
    p99Ms: at(sorted, 0.99),
    cpuUs: (user + system) / RECORDS,
  };
}

/** What the disk itself takes: one append of what 64 records are, and its sync. */
function syncTimes(directory: string): { p50Ms: number; p99Ms: number } {
  const file = openSync(join(directory, 'fsync'), 'w');
  const bytes = Buffer.alloc(IN_FLIGHT * 1200, 1);
  const times: number[] = [];
  for (let count = 0; count < 300; count += 1) {
    const startMs = performance.now();
    writeSync(file, bytes);
    fdatasyncSync(file);
    times.push(performance.now() - startMs);
  }
  closeSync(file);
  const sorted = times.toSorted((a, b) => a - b);
  return { p50Ms: at(sorted, 0.5), p99Ms: at(sorted, 0.99) };
}

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'holdfast-bench-'));
try {
  const spool = await openSpool(join(directory, 'spool'));
  const sink = spool.account('signal', 'bench', CLASS);
  await spool.openStream({ acct: sink.acct, app: 'signal', role: 'account', last: null, lastGen: 0 });
  const rounds: Measured[] = [];
  const syncs: { p50Ms: number; p99Ms: number }[] = [];
  await deliverMany(sink, -1);
  for (let round = 0; round < ROUNDS; round += 1) {
    syncs.push(syncTimes(directory));
    rounds.push(await deliverMany(sink, round));
  }
  await spool[Symbol.asyncDispose]();
  const of = (pick: (measured: Measured) => number): number => median(rounds.map(pick));
  const sync = { p50Ms: median(syncs.map(({ p50Ms }) => p50Ms)), p99Ms: median(syncs.map(({ p99Ms }) => p99Ms)) };
  const [perSecond, p99Ms] = [of((round) => round.perSecond), of((round) => round.p99Ms)];
  console.log(`${ROUNDS} rounds of ${RECORDS} records, ${IN_FLIGHT} in flight, one fsync a commit; medians`);
  const cpuUs = of((round) => round.cpuUs);
  tell([
    atLeast('captured and acknowledged, records/s', perSecond, WANTED.perSecond, perSecond.toFixed(0)),
    atMost('acknowledgement p99, ms', p99Ms, WANTED.p99Ms, p99Ms.toFixed(1)),
    noted('acknowledgement p50', `${of((round) => round.p50Ms).toFixed(1)} ms`),
    noted('fsync of the same disk', `p50 ${sync.p50Ms.toFixed(1)} ms, p99 ${sync.p99Ms.toFixed(1)} ms`),
    noted('processor time of a record', `${cpuUs.toFixed(0)} µs, so at most ${(1e6 / cpuUs).toFixed(0)}/s of one core`),
  ]);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
