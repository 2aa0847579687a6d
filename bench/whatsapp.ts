// SPDX-License-Identifier: AGPL-3.0-or-later
// What capture from WhatsApp costs beside the bare client, on the same emulator in one run: messages a second into a real spool, and
// memory for each idle account. Run: node bench/whatsapp.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { AccountSink } from '../src/connectors/connector.ts';
import { parseConfig } from '../src/connectors/whatsapp/config.ts';
import { NORMALISE } from '../src/connectors/whatsapp/index.ts';
import { WhatsAppSession } from '../src/connectors/whatsapp/session.ts';
import { linkedChanges } from '../test/connectors/whatsapp/linked-state.ts';
import { wireOf } from '../test/connectors/whatsapp/wire-of.ts';
import type { WhatsAppEmulator } from '../test/emulators/whatsapp/api.ts';
import { forkWhatsAppEmulator } from '../test/emulators/whatsapp/process.ts';
import { StockClient } from '../test/emulators/whatsapp/stock-client.ts';
import { trustEmulator } from '../test/emulators/whatsapp/trust.ts';
import { RecordedEvents } from '../test/support/connector-events.ts';
import { newSpoolKeys, SpoolFixture } from '../test/support/spool-fixture.ts';
import { atLeast, atMost, noted, tell } from './figures.ts';

const MESSAGES = 4000;
const IDLE = 200;
const FIRST = 20;
const BOB = '15550002222';
const MIB = 2 ** 20;

const numbers = Array.from({ length: IDLE + 2 }, (_, at) => String(15_551_000_000 + at));
const [bare = '', busy = '', ...idle] = numbers;
const directory = mkdtempSync(join(tmpdir(), 'whatsapp-bench-'));
const emulator = await forkWhatsAppEmulator({
  accounts: numbers.map((number) => ({ number })),
  people: [{ number: BOB }],
});
trustEmulator(emulator.noiseRoot);
const fixture = await SpoolFixture.open({ directory, keys: newSpoolKeys() });

/** Runs a session for these accounts; resolves when all of them capture, with what ends it. */
async function capture(own: readonly string[]): Promise<() => Promise<void>> {
  const accounts = new Map<string, AccountSink>();
  for (const number of own) {
    const sink = await fixture.sink('whatsapp', `+${number}`);
    await sink.deliver([], linkedChanges(sink, await emulator.linkReady(number)));
    accounts.set(`+${number}`, sink);
  }
  const deps = { accounts, clock: Date.now, events: new RecordedEvents() };
  const session = new WhatsAppSession(parseConfig({}), deps, { normalise: NORMALISE, wire: wireOf(emulator) });
  const stop = new AbortController();
  const run = session.run(stop.signal);
  run.catch((error: unknown) => console.error(error));
  while ([...accounts.keys()].some((account) => session.health(account).state !== 'capturing')) await sleep(100);
  return () => {
    stop.abort();
    return run;
  };
}

interface Rate {
  readonly perSecond: number;
  /** Of processor time of this process; the emulator has its own. */
  readonly perCpuSecond: number;
}

async function burst(from: WhatsAppEmulator, number: string): Promise<Rate> {
  const send = async (count: number): Promise<void> => {
    await from.prepareBurst({ to: number, from: [BOB], count });
    const startMs = performance.now();
    const cpu = process.cpuUsage();
    await from.release(number);
    await from.drained(number);
    const used = process.cpuUsage(cpu);
    rate = {
      perSecond: (count / (performance.now() - startMs)) * 1000,
      perCpuSecond: (count / (used.user + used.system)) * 1e6,
    };
  };
  let rate: Rate = { perSecond: 0, perCpuSecond: 0 };
  // The first ones warm up.
  await send(MESSAGES / 4);
  await send(MESSAGES);
  return rate;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function residentMiB(): Promise<number> {
  for (let turn = 0; turn < 4; turn += 1) {
    collect();
    await sleep(250);
  }
  return process.memoryUsage.rss() / MIB;
}

const endFirst = await capture(idle.slice(0, FIRST));
const before = await residentMiB();
const endOthers = await capture(idle.slice(FIRST));
const each = ((await residentMiB()) - before) / (idle.length - FIRST);

await endFirst();
await endOthers();

const stock = new StockClient({ url: emulator.url, state: await emulator.linkReady(bare) });
await stock.opened();
const alone = await burst(emulator, bare);
await stock.end();
await capture([busy]);
const captured = await burst(emulator, busy);
const added = 1 / (1 / captured.perCpuSecond - 1 / alone.perCpuSecond);

const shown = ({ perSecond, perCpuSecond }: Rate): string =>
  `${perSecond.toFixed(0)}/s, ${perCpuSecond.toFixed(0)} a second of one core`;
tell([
  noted('the client alone', shown(alone)),
  noted(
    'captured into the spool',
    `${shown(captured)}, ratio ${(captured.perCpuSecond / alone.perCpuSecond).toFixed(2)}`,
  ),
  atLeast('what capture adds to the client, messages a second of one core', added, 1000, added.toFixed(0)),
  atMost(`MiB for each more idle account, ${idle.length} in one process`, each, 3),
]);
rmSync(directory, { recursive: true, force: true });
await emulator[Symbol.asyncDispose]();
// Sessions go on for ever, and are not what is measured.
setTimeout(() => process.exit(), 100);
