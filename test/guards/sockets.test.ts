// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { incoming } from '../emulators/signal/envelopes.ts';
import { account, dana } from '../emulators/signal/test-world.ts';
import { familyOf, listeningOf } from '../deploy/sockets.ts';
import { Deployment } from '../support/e2e-deployment.ts';
import type { Daemon } from '../support/e2e-process.ts';
import { read, treeFiles } from './files.ts';

const WEBHOOK = 'src/connectors/signal/intakes/webhook.ts';
const API = 'src/web/server.ts';
const WITNESS = 'src/witness/server.ts';
const sources = treeFiles().filter((file) => /^src\/.*\.ts$/.test(file));
const filesWith = (pattern: RegExp): string[] => sources.filter((file) => pattern.test(read(file)));

describe('the code', () => {
  it('makes three servers: the webhook of Signal, the reader’s API, and the witness, which is a program of its own', () => {
    expect(filesWith(/^import (?!type )[^;]*from 'fastify'/m)).toEqual([WEBHOOK, API, WITNESS]);
    const servers = /\bcreate(?:Secure)?Server\b|\bcreateSocket\b|\bnew (?:[A-Za-z]+\.)?(?:WebSocket)?Server\(/;
    expect(filesWith(servers)).toEqual([]);
    expect(filesWith(/\.listen\(\s*(?:\{|\d|port\b)/)).toEqual([WEBHOOK, API, WITNESS]);
  });

  it('uses no module of Node that opens a debugger, a console or a port by itself', () => {
    expect(filesWith(/['"](?:node:)?(?:inspector|inspector\/promises|repl|cluster|dgram|http2)['"]/)).toEqual([]);
    expect(filesWith(/\bprocess\.(?:_debugProcess|report)\b/)).toEqual([]);
  });
});

let apart: Deployment;
let whole: Deployment;

beforeAll(async () => {
  const make = (label: string): Promise<Deployment> => Deployment.make({ label, archive: 'file', logLevel: 'info' });
  apart = await make('sockets');
  whole = await make('sockets-up');
  await apart.start();
  await whole.up.started();
  await whole.capturing(whole.up);
  for (const { emulator } of [apart, whole]) await emulator.receive(account, incoming(dana, Date.now(), { text: 'x' }));
  await apart.drained();
}, 120_000);

afterAll(async () => {
  await apart?.[Symbol.asyncDispose]();
  await whole?.[Symbol.asyncDispose]();
});

/** All ways into a process and whatever it started, also after it was asked for a debugger. */
async function waysInto({ pid }: Daemon): Promise<string[]> {
  process.kill(pid, 'SIGUSR1');
  await sleep(300);
  return familyOf(pid).flatMap(listeningOf);
}

/** The webhook of a deployment, on loopback, as the kernel prints it. */
const webhookOf = ({ emulator }: Deployment): string => `0100007F:${new URL(emulator.webhookUrl ?? '').port}`;

describe('a running process', () => {
  it('is seen by this test to listen, if it does', async () => {
    const program = `
      require('node:net').createServer().listen(0, '127.0.0.1');
      require('node:net').createServer().listen('\\0holdfast-sockets-' + process.pid);
      require('node:dgram').createSocket('udp4').bind(0, '127.0.0.1', () => console.log('ready'));`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const seen = listeningOf(child.pid ?? 0).map((place) => place.replace(/\d+$/, ''));
    child.kill('SIGKILL');
    expect(seen).toEqual(['0100007F:', 'udp 0100007F:', 'unix @holdfast-sockets-']);
  });

  it('that captures listens for the webhook, on loopback, and nowhere else', async () => {
    expect(await waysInto(apart.connector)).toEqual([webhookOf(apart)]);
  });

  it('that archives listens nowhere', async () => {
    expect(await waysInto(apart.archiver)).toEqual([]);
  });

  it('with all roles listens for the webhook, on loopback, and nowhere else', async () => {
    expect(await waysInto(whole.up)).toEqual([webhookOf(whole)]);
  });
});
