// SPDX-License-Identifier: AGPL-3.0-or-later
// Sealed rows of a spool to their receipts: through Redis, checked, packed, written to a directory with an fsync, signed, proven back and
// marked archived. Beside it bare BullMQ: the same bytes in the same batches, put in and taken out, and nothing else. Both in one process,
// in turns, against one Redis. Capture, seal and the spool's fsync are told apart. Run: npx node bench/pipeline.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { BullmqDownlink } from '../src/queue/bullmq-downlink.ts';
import { BullmqUplink } from '../src/queue/bullmq-uplink.ts';
import type { Uplink } from '../src/queue/link.ts';
import { Attachments } from '../src/spool/attach.ts';
import { startRedis } from '../test/services/redis.ts';
import { CLASS, message } from '../test/support/spool-parts.ts';
import { atLeast, median, noted, tell } from './figures.ts';
import { complain, startArchiver, startShipper } from './roles.ts';
import { fail, openSpool } from './spool-role.ts';

const ROUNDS = 3;
const RECORDS = 48_000;
/** Messages that one delivery brings. */
const DELIVERY = 8;
const ACCOUNTS = 8;
const IN_FLIGHT = 64;
const CONCURRENCY = 16;
const RAW_BYTES = 420;
/** Records of less than a segment. */
const LEFT = 4000;
const TARGET = 0.5;

/** Runs `work` for each number, so many at a time. */
async function inFlight(count: number, work: (no: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      for (let no = next++; no < count; no = next++) await work(no);
    }),
  );
}

interface Timed {
  readonly perSecond: number;
  readonly cpuUs: number;
}

async function timed(work: () => Promise<void>): Promise<Timed> {
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (RECORDS * 1000) / (performance.now() - startedMs), cpuUs: (user + system) / RECORDS };
}

/** Lets nothing through until it opens, and keeps the bytes of what passes. */
class Gate implements Uplink {
  readonly jobs: string[] = [];
  readonly #uplink: Uplink;
  readonly #opened = Promise.withResolvers<void>();

  constructor(uplink: Uplink) {
    this.#uplink = uplink;
  }

  open(): void {
    this.#opened.resolve();
  }

  async send(id: string, job: string): Promise<void> {
    // Questions pass, or no stream would open.
    if (!id.startsWith('b-')) return await this.#uplink.send(id, job);
    await this.#opened.promise;
    this.jobs.push(job);
    await this.#uplink.send(id, job);
  }

  listen(onReply: (reply: string) => Promise<void> | void): Promise<void> {
    return this.#uplink.listen(onReply);
  }

  get connected(): boolean {
    return this.#uplink.connected;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#uplink[Symbol.asyncDispose]();
  }
}

async function bare(port: number, jobs: readonly string[]): Promise<Timed> {
  const connection = { host: '127.0.0.1', port };
  await using parts = new AsyncDisposableStack();
  const queue = parts.adopt(new Queue('bare', { connection }), (one) => one.close());
  const { promise: allTaken, resolve } = Promise.withResolvers<void>();
  let taken = 0;
  const take = async (): Promise<void> => void ((taken += 1) === jobs.length && resolve());
  const worker = { connection: { ...connection, maxRetriesPerRequest: null }, concurrency: CONCURRENCY };
  await parts.adopt(new Worker('bare', take, worker), (one) => one.close()).waitUntilReady();
  return await timed(async () => {
    await inFlight(jobs.length, (no) => queue.add('j', jobs[no], { jobId: `m-${no}`, removeOnComplete: true }));
    await allTaken;
  });
}

interface Whole {
  readonly capture: Timed;
  readonly ship: Timed;
  readonly jobs: readonly string[];
}

async function whole(port: number, round: number): Promise<Whole> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  await using parts = new AsyncDisposableStack();
  parts.defer(() => rmSync(directory, { recursive: true }));
  const options = {
    redis: { host: '127.0.0.1', port, prefix: `whole-${round}` },
    events: { trouble: complain },
    onBroken: fail,
  };
  const downlink = parts.use(new BullmqDownlink({ ...options, concurrency: CONCURRENCY }));
  const archiver = parts.use(await startArchiver(directory, downlink));
  const spool = parts.use(await openSpool(join(directory, 'spool')));
  const uplink = parts.use(new Gate(new BullmqUplink({ ...options, connector: spool.keyId })));
  const accounts = Array.from({ length: ACCOUNTS }, (_, no) => ({
    app: 'signal' as const,
    name: `account-${no}`,
    sink: spool.account('signal', `account-${no}`, CLASS),
  }));
  const shipper = parts.use(startShipper(spool, uplink));
  await shipper.start();
  await new Attachments(spool, shipper, accounts, Date.now, { streamOpened: () => undefined }).attach();
  const raw = Buffer.alloc(RAW_BYTES, 'bring the binder at 14:30 ');
  const deliveries = (no: number) =>
    Array.from({ length: DELIVERY }, (_, at) => message(String(no * DELIVERY + at), { raw }));
  const capture = await timed(() =>
    inFlight(RECORDS / DELIVERY, async (no) => accounts[no % ACCOUNTS]?.sink.deliver(deliveries(no))),
  );
  const ship = await timed(async () => {
    uplink.open();
    for (let before = Infinity; spool.backlog() > 0; before = spool.backlog()) {
      await sleep(5);
      // All that is left waits for a segment that nothing will fill: that is the rhythm's time, not the pipeline's.
      if (spool.backlog() === before && before < LEFT) await archiver.flush();
    }
  });
  return { capture, ship, jobs: uplink.jobs };
}

await using redis = await startRedis();
const captured: Timed[] = [];
const ours: Timed[] = [];
const theirs: Timed[] = [];
let perBatch = 0;
for (let round = 0; round < ROUNDS; round += 1) {
  const { capture, ship, jobs } = await whole(redis.port, round);
  captured.push(capture);
  ours.push(ship);
  perBatch = RECORDS / jobs.length;
  await redis.flushall();
  theirs.push(await bare(redis.port, jobs));
  await redis.flushall();
}
const ratio = median(ours.map(({ perSecond }, at) => perSecond / (theirs[at]?.perSecond ?? 1)));
const shown = (all: readonly Timed[]): string =>
  `${Math.round(median(all.map(({ perSecond }) => perSecond)))} records/s, ${Math.round(median(all.map(({ cpuUs }) => cpuUs)))} µs of this process each`;
console.log(
  `${ROUNDS} rounds of ${RECORDS} records, ${ACCOUNTS} accounts, ${Math.round(perBatch)} records a batch; medians`,
);
tell([
  noted('capture to spool', `${shown(captured)} (${IN_FLIGHT} deliveries of ${DELIVERY} in flight)`),
  noted('spool to receipt', shown(ours)),
  noted('bare BullMQ, the same batches', shown(theirs)),
  atLeast('ratio to bare BullMQ', ratio, TARGET),
]);
