// SPDX-License-Identifier: AGPL-3.0-or-later
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONNECTOR_STATUS, type ConnectorStatus } from '../../src/main/housekeeping.ts';
import { incoming } from '../emulators/signal/envelopes.ts';
import { startSignalEmulator, type SignalEmulator } from '../emulators/signal/emulator.ts';
import type { PayloadObject } from '../emulators/signal/frame.ts';
import { account, dana } from '../emulators/signal/test-world.ts';
import type { Service } from '../services/guard.ts';
import { PROJECT } from './image.ts';
import { listeningOf, processOf } from './sockets.ts';
import { Stage } from './stage.ts';

const CANARY = 'the canary sings at berth fourteen';
const WAIT = { timeout: 90_000, interval: 500 };

let stage: Stage;
let signal: SignalEmulator;
let archiver: Service;
let connector: Service;
let sent = 0;

/** A message with the canary in it, and in the name of the file that comes with it. */
function message(): PayloadObject {
  sent += 1;
  const file = {
    id: `canary-${sent}.bin`,
    contentType: 'application/octet-stream',
    size: 200_000,
    filename: `${CANARY}.bin`,
  };
  return incoming(dana, Date.now() + sent, {
    text: `${CANARY} ${sent}`,
    ...(sent % 3 === 1 ? { attachments: [file] } : {}),
  });
}

async function send(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await signal.receive(account, message());
}

/** What the connector says of itself every few seconds. */
function status(): ConnectorStatus | null {
  const file = join(stage.local, 'connector', 'spool', CONNECTOR_STATUS);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ConnectorStatus) : null;
}

/** Numbers of the messages in the archive. */
async function archived(): Promise<number[]> {
  const texts = await stage.texts();
  return texts.map((text) => Number(text.slice(CANARY.length))).toSorted((a, b) => a - b);
}

const all = (): number[] => Array.from({ length: sent }, (_, at) => at + 1);

beforeAll(async () => {
  stage = await Stage.set(account);
  signal = await startSignalEmulator({
    dataDir: stage.signalDir,
    port: stage.port('signal'),
    webhookUrl: `http://127.0.0.1:${stage.port('webhook')}/`,
    trustNewIdentities: 'always',
    accounts: [{ number: account, uuid: '7c0e2c1a-5b1e-4f0e-9a53-1d1b7f0a9e01', contacts: [dana] }],
  });
  chmodSync(join(stage.signalDir, 'log'), 0o755);
  stage.start('redis');
  expect(await stage.run('create-bucket')).toContain('Object Lock is on');
}, 180_000);

afterAll(async () => {
  await signal?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

/** Every file that the compiler wrote. */
function compiled(): { readonly path: string; readonly code: string }[] {
  const dist = join(stage.image.app, 'dist');
  return readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dist, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ path, code: readFileSync(path, 'utf8') }));
}

function imports(code: string): string[] {
  const forms = [
    /^(?:import|export)\s[^;'"()=]*?\bfrom\s+['"]([^'"\n]+)['"]/gm,
    /^import\s+['"]([^'"\n]+)['"]/gm,
    /\bimport\(\s*['"]([^'"\n]+)['"]/g,
  ];
  return forms
    .flatMap((form) => [...code.matchAll(form)].map(([, name = '']) => name))
    .filter((name) => !isBuiltin(name));
}

describe('the compiled program', () => {
  it('imports nothing but Node, itself and the packages under "dependencies"', () => {
    const file = readFileSync(join(PROJECT, 'package.json'), 'utf8');
    const { dependencies } = JSON.parse(file) as { dependencies: Readonly<Record<string, string>> };
    for (const { path, code } of compiled()) {
      for (const name of imports(code)) {
        const depth = name.startsWith('@') ? 2 : 1;
        const isThere = name.startsWith('.')
          ? existsSync(resolve(dirname(path), name))
          : name.split('/').slice(0, depth).join('/') in dependencies;
        expect([path, name, isThere]).toEqual([path, name, true]);
      }
    }
  });

  it('finds the files it starts as threads and processes', () => {
    const started = compiled().flatMap(({ path, code }) =>
      [...code.matchAll(/new URL\(`\.\/([\w-]+)\$\{extname\(import\.meta\.url\)\}`/g)].map(([, name = '']) =>
        join(dirname(path), `${name}.js`),
      ),
    );
    expect(started.length).toBeGreaterThan(0);
    for (const path of started) expect([path, existsSync(path)]).toEqual([path, true]);
  });

  it('runs without rights, in a directory it cannot write to', async () => {
    expect(await stage.run('archiver', ['--help'])).toContain('Usage: holdfast');
    await expect(stage.run('archiver', ['keygen', 'log', '--out', stage.image.app])).rejects.toThrow(/EACCES|EPERM/);
    expect(await stage.run('archiver', ['keygen', 'log', '--out', join(stage.local, 'archiver', 'new')])).toContain(
      'fingerprint',
    );
  }, 60_000);
});

describe('the services of the compose file', () => {
  it('archive what Signal delivers', async () => {
    stage.start('witness');
    connector = stage.start('connector');
    archiver = stage.start('archiver');
    await expect.poll(() => status()?.accounts[0]?.health.state, WAIT).toBe('capturing');
    await send(7);
    await expect.poll(archived, WAIT).toEqual(all());
    await expect.poll(() => status()?.waiting, WAIT).toBe(0);
    const { keys } = await stage.download();
    for (const kind of [/\/segment\//, /\/pack\//, /\/media\//, /\/checkpoint$/, /\/witness\//]) {
      expect(keys.filter((key) => kind.test(key)).length).toBeGreaterThan(0);
    }
  }, 200_000);

  it('listen where they must and nowhere else, also when asked for a debugger', async () => {
    const { node } = stage.image;
    const [connect, archive] = [processOf(node, 'connect'), processOf(node, 'archive')];
    for (const pid of [connect, archive]) process.kill(pid, 'SIGUSR1');
    await sleep(500);
    expect(listeningOf(connect)).toEqual([`0100007F:${stage.port('webhook')}`]);
    expect(listeningOf(archive)).toEqual([]);
  });

  it('lose nothing when the archiver is killed and the connector stopped', async () => {
    await archiver.end('SIGKILL');
    await send(4);
    await connector.end('SIGTERM');
    // Nobody takes these from the webhook: the journal has them.
    await send(3);
    connector = stage.start('connector');
    archiver = stage.start('archiver');
    await expect.poll(archived, WAIT).toEqual(all());
    await expect.poll(() => status()?.accounts[0]?.health.state, WAIT).toBe('capturing');
    expect(await stage.run('connector', ['accounts', '--probe'])).toContain('capturing');
  }, 200_000);

  it('leave an archive that the auditor verifies', async () => {
    const said = await stage.run('auditor');
    expect(said).toMatch(/^verified/i);
    expect(said).toMatch(/^witnesses .* cosigned by 1 of 1 \(evaluation-witness\)/m);
  }, 120_000);

  it('hold what the log says, by a steward without keys who may write nothing', async () => {
    const steward = stage.start('steward');
    await expect.poll(() => stage.printed('steward'), WAIT).toMatch(/"event":"hold\.round"/);
    expect(stage.printed('steward')).not.toMatch(/trouble|fatal/);
    await steward.end('SIGTERM');
  }, 120_000);

  it('verify by themselves every day, and say whether all was well', async () => {
    const daily = stage.start('auditor-daily');
    await expect.poll(() => stage.printed('auditor-daily'), WAIT).toMatch(/^verified/im);
    await expect.poll(() => stage.check('auditor-daily'), WAIT).toBe('');
    await daily.end('SIGTERM');
  }, 120_000);

  it('print nothing that was said, and no number', () => {
    for (const name of ['connector', 'archiver', 'redis', 'auditor-daily', 'witness', 'steward']) {
      expect(stage.printed(name)).not.toMatch(/canary|2025550|Ortiz/);
    }
  });
});
