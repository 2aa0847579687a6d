// SPDX-License-Identifier: AGPL-3.0-or-later
// How much memory connector and archiver take while a million records go through them, each in a process of its own, Redis between them.
// Run: npx node bench/memory.ts [records]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BullmqDownlink } from '../src/queue/bullmq-downlink.ts';
import { BullmqUplink } from '../src/queue/bullmq-uplink.ts';
import { Attachments } from '../src/spool/attach.ts';
import { startRedis } from '../test/services/redis.ts';
import { CLASS, message } from '../test/support/spool-parts.ts';
import { atMost, noted, peakMiB, tell, type Figure } from './figures.ts';
import { complain, startArchiver, startShipper } from './roles.ts';
import { fail, openSpool } from './spool-role.ts';

const RECORDS = 1_000_000;
const ACCOUNTS = 8;
const DELIVERY = 2;
const IN_FLIGHT = 16;
/** Further ahead capture does not run: a connector does not get a million messages in a minute. */
const MOST_WAITING = 100_000;
const TARGET_MIB = 300;

const [role = 'both', directory = '', port = '0', records = String(RECORDS)] = process.argv.slice(2);
const link = {
  redis: { host: '127.0.0.1', port: Number(port), prefix: 'memory' },
  events: { trouble: complain },
  onBroken: fail,
};

async function archive(): Promise<void> {
  const downlink = new BullmqDownlink({ ...link, concurrency: 16 });
  const archiver = await startArchiver(directory, downlink);
  process.send?.('started');
  await once(process, 'message');
  await archiver[Symbol.asyncDispose]();
  await downlink[Symbol.asyncDispose]();
}

async function capture(): Promise<void> {
  await using parts = new AsyncDisposableStack();
  const spool = parts.use(await openSpool(join(directory, 'spool')));
  const shipper = parts.use(startShipper(spool, parts.use(new BullmqUplink({ ...link, connector: spool.keyId }))));
  const accounts = Array.from({ length: ACCOUNTS }, (_, no) => ({
    app: 'signal' as const,
    name: `account-${no}`,
    sink: spool.account('signal', `account-${no}`, CLASS),
  }));
  await shipper.start();
  await new Attachments(spool, shipper, accounts, Date.now, { streamOpened: () => undefined }).attach();
  const raw = Buffer.alloc(420, 'bring the binder at 14:30 ');
  let next = 0;
  const deliver = async (): Promise<void> => {
    for (let no = next++; no < Number(records) / DELIVERY; no = next++) {
      while (spool.backlog() > MOST_WAITING) await sleep(20);
      const captures = Array.from({ length: DELIVERY }, (_, at) => message(String(no * DELIVERY + at), { raw }));
      await accounts[no % ACCOUNTS]?.sink.deliver(captures);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, deliver));
  while (spool.backlog() > 0) await sleep(20);
}

async function child(name: string, ...args: readonly string[]): Promise<{ end(): Promise<number> }> {
  const started = fork(fileURLToPath(import.meta.url), [name, ...args], {
    // As the container file and the units start them: without it Node lets what lives briefly take 100 MiB.
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'],
  });
  const { promise: told, resolve } = Promise.withResolvers<number>();
  const { promise: ready, resolve: isReady } = Promise.withResolvers<void>();
  started.on('message', (word) => (typeof word === 'number' ? resolve(word) : isReady()));
  started.once('exit', () => resolve(Number.NaN));
  if (name === 'archive') await ready;
  return {
    end: async () => {
      if (name === 'archive') started.send('end');
      return await told;
    },
  };
}

async function both(): Promise<void> {
  await using redis = await startRedis();
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const count = process.argv[2] ?? records;
  const archiver = await child('archive', dir, String(redis.port), count);
  const startedMs = performance.now();
  const connector = await child('connect', dir, String(redis.port), count);
  const peaks = { connector: await connector.end(), archiver: await archiver.end() };
  const perSecond = (Number(count) * 1000) / (performance.now() - startedMs);
  rmSync(dir, { recursive: true });
  const figures: Figure[] = Object.entries(peaks).map(([name, peak]) =>
    atMost(`${name}: peak memory`, peak, TARGET_MIB, `${peak} MiB`),
  );
  tell([...figures, noted('message to receipt', `${Math.round(perSecond)} records/s, ${count} records`)]);
}

if (role === 'archive' || role === 'connect') {
  await (role === 'archive' ? archive() : capture());
  process.send?.(peakMiB());
  process.disconnect();
} else {
  await both();
}
