// SPDX-License-Identifier: AGPL-3.0-or-later
// What capture from WhatsApp costs beside the bare client, on the same emulator in one run, in turns: messages a second into a real
// spool, direct ones and those of groups, and memory for each idle account. Run: node bench/whatsapp.ts
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
import { atLeast, atMost, median, noted, tell, type Figure } from './figures.ts';

const ROUNDS = 5;
/** The bare client needs ten times as long for those of groups. */
const MESSAGES = { direct: 1200, group: 300 };
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

type Kind = keyof typeof MESSAGES;

interface Rate {
  readonly perSecond: number;
  /** Processor time of this process for each message; the emulator has its own. */
  readonly ms: number;
}

async function burst(from: WhatsAppEmulator, number: string, chat: string | null, count: number): Promise<Rate> {
  await from.prepareBurst({ to: number, from: [BOB], count, ...(chat === null ? {} : { chat }) });
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  await from.release(number);
  await from.drained(number);
  const used = process.cpuUsage(cpu);
  return {
    perSecond: (count / (performance.now() - startMs)) * 1000,
    ms: (used.user + used.system) / count / 1000,
  };
}

/** In turns, after a round that warms up: what else the machine does falls on both alike. */
async function compared(kind: Kind, bareNumber: string, ownNumber: string): Promise<Figure[]> {
  // A group each: a sender's chain counts on for all who read it.
  const chatOf = async (number: string): Promise<string | null> =>
    kind === 'group' ? await emulator.addGroup({ subject: 'Plans', members: [BOB, number] }) : null;
  const [bareChat, ownChat] = [await chatOf(bareNumber), await chatOf(ownNumber)];
  const rounds: { readonly alone: Rate; readonly captured: Rate }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const alone = await burst(emulator, bareNumber, bareChat, MESSAGES[kind]);
    const captured = await burst(emulator, ownNumber, ownChat, MESSAGES[kind]);
    if (round > 0) rounds.push({ alone, captured });
  }
  const shown = (of: (round: (typeof rounds)[number]) => Rate): string =>
    `${median(rounds.map((round) => of(round).perSecond)).toFixed(0)}/s by the clock, ` +
    `${median(rounds.map((round) => of(round).ms)).toFixed(2)} ms of processor time each`;
  const ratio = median(rounds.map(({ alone, captured }) => alone.ms / captured.ms));
  const perCore = 1000 / median(rounds.map(({ captured }) => captured.ms));
  return [
    noted(
      `${kind}: the client alone`,
      shown(({ alone }) => alone),
    ),
    noted(
      `${kind}: captured into the spool`,
      shown(({ captured }) => captured),
    ),
    noted(`${kind}: speed beside the client alone, by processor time`, ratio.toFixed(2)),
    atLeast(`${kind}: decrypted and spooled, messages a second of one core`, perCore, 1000, perCore.toFixed(0)),
  ];
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
await capture([busy]);
const direct = await compared('direct', bare, busy);
const group = await compared('group', bare, busy);
await stock.end();
tell([...direct, ...group, atMost(`MiB for each more idle account, ${idle.length} in one process`, each, 3)]);
rmSync(directory, { recursive: true, force: true });
await emulator[Symbol.asyncDispose]();
// Sessions go on for ever, and are not what is measured.
setTimeout(() => process.exit(), 100);
