// SPDX-License-Identifier: AGPL-3.0-or-later
// What our ends of the queue cost beside bare BullMQ: the same jobs, the same Redis, in turns. Run: npx node bench/queue.ts
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { BullmqDownlink } from '../src/queue/bullmq-downlink.ts';
import { BullmqUplink } from '../src/queue/bullmq-uplink.ts';
import { encodeJob, type SealedRecord } from '../src/queue/job.ts';
import type { Downlink } from '../src/queue/link.ts';
import { signBatch } from '../src/record/batch.ts';
import { startRedis } from '../test/services/redis.ts';
import { atLeast, median, noted, tell, type Figure } from './figures.ts';

const ROUNDS = 6;
const BATCHES = 2000;
const RECORDS = 50;
const RECORD_BYTES = 969;
const LINE_BYTES = 420;
const IN_FLIGHT = 8;
const CONCURRENCY = 16;
const TARGET = 0.5;
const CONNECTOR = '00112233445566778899aabbccddeeff';

interface Job {
  readonly id: string;
  readonly text: string;
}

/** Puts jobs in with some in flight, then takes them all out. */
interface Contender extends AsyncDisposable {
  send(job: Job): Promise<unknown>;
  take(onJob: () => void): Promise<void>;
}

function makeJobs(): Job[] {
  const { privateKey } = generateKeyPairSync('ed25519');
  return Array.from({ length: BATCHES }, (_, index) => {
    const batch = { origin: 'bench.example/log', stream: CONNECTOR, gen: 0, first: index * RECORDS, count: RECORDS };
    const last = createHash('sha256').update(String(index)).digest('hex');
    const statement = signBatch({ ...batch, last, key: CONNECTOR }, privateKey);
    const records = Array.from({ length: RECORDS }, makeRecord);
    return {
      id: `b-${last}`,
      text: encodeJob({ kind: 'batch', statement, epochs: [], records, since: 0, again: false }),
    };
  });
}

/** As dense in quotes as a header, which is what JSON in JSON pays for. */
function makeRecord(): SealedRecord {
  const fields = Array.from({ length: 12 }, (_, index) => [`f${index}`, randomBytes(11).toString('hex')]);
  const line = JSON.stringify(Object.fromEntries(fields)).padEnd(LINE_BYTES, ' ');
  return { line, body: randomBytes(RECORD_BYTES - line.length) };
}

function bare(port: number): Contender {
  const connection = { host: '127.0.0.1', port };
  const queue = new Queue('bare', { connection });
  let worker: Worker | undefined;
  return {
    send: ({ id, text }) => queue.add('j', text, { jobId: id, removeOnComplete: true }),
    take: async (onJob) => {
      const options = { connection: { ...connection, maxRetriesPerRequest: null }, concurrency: CONCURRENCY };
      worker = new Worker('bare', async () => onJob(), options);
    },
    [Symbol.asyncDispose]: async () => {
      await worker?.close();
      await queue.close();
    },
  };
}

function ours(port: number): Contender {
  const options = {
    redis: { host: '127.0.0.1', port, prefix: 'ours' },
    events: { trouble: (what: string, code: string) => console.error(what, code) },
    onBroken: (failure: Error) => console.error(failure.message),
  };
  const uplink = new BullmqUplink({ ...options, connector: CONNECTOR });
  let downlink: Downlink | undefined;
  return {
    send: ({ id, text }) => uplink.send(id, text),
    take: async (onJob) => {
      downlink = new BullmqDownlink({ ...options, concurrency: CONCURRENCY });
      await downlink.consume(async () => onJob());
    },
    [Symbol.asyncDispose]: async () => {
      await uplink[Symbol.asyncDispose]();
      await downlink?.[Symbol.asyncDispose]();
    },
  };
}

/** Records per second in and out. */
async function measure(contender: Contender, jobs: readonly Job[]): Promise<readonly [number, number]> {
  await using used = contender;
  const perSecond = (startedAt: number): number => (jobs.length * RECORDS) / ((performance.now() - startedAt) / 1000);
  const sendingFrom = performance.now();
  for (let first = 0; first < jobs.length; first += IN_FLIGHT) {
    await Promise.all(jobs.slice(first, first + IN_FLIGHT).map((job) => used.send(job)));
  }
  const sent = perSecond(sendingFrom);
  const { promise: allTaken, resolve } = Promise.withResolvers<void>();
  let taken = 0;
  const takingFrom = performance.now();
  await used.take(() => void ((taken += 1) === jobs.length && resolve()));
  await allTaken;
  return [sent, perSecond(takingFrom)];
}

const jobs = makeJobs();
await using redis = await startRedis();
const contenders = {
  'bare BullMQ': () => bare(redis.port),
  'our links': () => ours(redis.port),
};
const rates = new Map<string, [number, number][]>();
for (let round = 0; round < ROUNDS; round += 1) {
  // Whoever goes first meets the emptier disk queue.
  const order = Object.entries(contenders);
  for (const [name, open] of round % 2 === 0 ? order : order.toReversed()) {
    const [sent, taken] = await measure(open(), jobs);
    rates.set(name, [...(rates.get(name) ?? []), [sent, taken]]);
    await redis.flushall();
    await sleep(100);
  }
}

const kib = Math.round((jobs[0]?.text.length ?? 0) / 1024);
console.log(
  `${BATCHES} batches of ${RECORDS} records of ${RECORD_BYTES} bytes (${kib} KiB each), ${ROUNDS} rounds, medians`,
);
const sides = (name: string): readonly [number, number] => {
  const all = rates.get(name) ?? [];
  return [median(all.map(([sent]) => sent)), median(all.map(([, taken]) => taken))];
};
const [bareIn, bareOut] = sides('bare BullMQ');
const [oursIn, oursOut] = sides('our links');
const figures: Figure[] = [
  noted('bare BullMQ, same batches', `in ${Math.round(bareIn)} records/s, out ${Math.round(bareOut)} records/s`),
  noted('our links', `in ${Math.round(oursIn)} records/s, out ${Math.round(oursOut)} records/s`),
  atLeast('ratio in', oursIn / bareIn, TARGET),
  atLeast('ratio out', oursOut / bareOut, TARGET),
];
tell(figures);
