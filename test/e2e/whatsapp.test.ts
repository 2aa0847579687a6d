// SPDX-License-Identifier: AGPL-3.0-or-later

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { LinkStep } from '../../src/connectors/connector.ts';
import type { ConnectorStatus } from '../../src/main/housekeeping.ts';
import type { WhatsAppEmulator } from '../emulators/whatsapp/api.ts';
import { startWhatsAppEmulator } from '../emulators/whatsapp/emulator.ts';
import { Guard } from '../services/guard.ts';
import { Daemon, launch, runHoldfast, until } from '../support/e2e-process.ts';

const number = '15550001111';
const bob = '15550002222';
const UP = fileURLToPath(new URL('../support/whatsapp-up.ts', import.meta.url));

interface World {
  readonly guard: Guard;
  readonly emulator: WhatsAppEmulator;
  readonly config: string;
  readonly up: Daemon;
}

/** An evaluation as an operator would set it up, with one WhatsApp account, and the server it talks to. */
async function makeWorld(): Promise<World> {
  const guard = new Guard('whatsapp');
  onTestFinished(() => guard.end());
  const emulator = await startWhatsAppEmulator({ accounts: [{ number }], people: [{ number: bob, name: 'Bob' }] });
  onTestFinished(() => emulator[Symbol.asyncDispose]());
  const directory = join(guard.dir, 'evaluation');
  expect(await runHoldfast(['init', directory, '--evaluation'], { guard })).toMatchObject({ code: 0 });
  const config = join(directory, 'holdfast.yaml');
  const account = { name: 'press', app: 'whatsapp', account: `+${number}`, backend: 'main', retention: 'evaluation' };
  const settings = parse(readFileSync(config, 'utf8')) as object;
  writeFileSync(
    config,
    stringify({ ...settings, accounts: [account], whatsapp: { main: { intervals: { retry: '100ms' } } } }),
  );
  const wire = join(guard.dir, 'wire.json');
  writeFileSync(
    wire,
    JSON.stringify({ url: emulator.url, noiseRoot: Buffer.from(emulator.noiseRoot).toString('hex') }),
  );
  const up = new Daemon({ guard, cli: UP, args: ['up', '--config', config, '--wire', wire] });
  onTestFinished(async () => void (await up.end('SIGKILL')));
  return { guard, emulator, config, up };
}

async function statusOf({ guard, config }: World): Promise<ConnectorStatus & { readonly running: boolean }> {
  const { stdout } = await runHoldfast(['accounts', '--json', '--config', config], { guard });
  return JSON.parse(stdout) as ConnectorStatus & { readonly running: boolean };
}

/** `holdfast link`, with the phone in the other hand. */
async function link({ guard, config, emulator }: World): Promise<string[]> {
  const child = launch(['link', 'press', '--json', '--config', config], { guard });
  const steps: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const step = JSON.parse(line) as LinkStep;
    steps.push(step.step);
    if (step.step === 'show-qr') await emulator.scanQr(step.uri, number);
  }
  return steps;
}

test('an account is linked through the command line, captured through kills, and the archive verifies with 0', async () => {
  const world = await makeWorld();
  const { guard, emulator, up } = world;
  await up.started();
  await until(
    'an account that is not linked',
    async () => (await statusOf(world)).accounts[0]?.health.state === 'not-linked',
  );
  expect(await link(world)).toEqual(['show-qr', 'waiting', 'linked']);
  await emulator.connected(number);
  // The client holds timers of half a minute then; a stop in good order does not wait for them, nor for the deadline that ends by a signal.
  expect(await up.end('SIGTERM')).toBe(0);
  await up.started();
  for (let round = 1; round <= 3; round += 1) {
    for (let at = 0; at < 10; at += 1)
      await emulator.send({
        to: number,
        from: bob,
        message: { conversation: `marker-9f3e round ${round} message ${at}` },
      });
    await up.end('SIGKILL');
    await up.started();
  }
  await emulator.drained(number);
  const receipted = await emulator.receipted(number);
  expect(receipted.filter(({ tag }) => tag === 'message')).toHaveLength(30);
  await until('receipts for everything', async () => {
    const { accounts, running } = await statusOf(world);
    return running && accounts[0]?.health.state === 'capturing' && accounts[0].waiting === 0;
  });
  expect(await up.end('SIGTERM')).toBe(0);
  const directory = join(guard.dir, 'evaluation');
  const verified = await runHoldfast(
    ['verify', `file://${join(directory, 'archive')}`, '--trust', join(directory, 'trust.json'), '--json'],
    { guard },
  );
  expect([verified.code, verified.stderr]).toEqual([0, '']);
  expect(up.printed).not.toContain('marker-9f3e');
  expect(up.printed).not.toContain(number);
  expect(up.printed).not.toContain(bob);
  const spool = join(directory, 'spool');
  const stored = readdirSync(spool, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = Buffer.concat(stored.map((entry) => readFileSync(join(entry.parentPath, entry.name))));
  for (const secret of ['marker-9f3e', number, bob]) expect(bytes.includes(secret), secret).toBe(false);
}, 180_000);
