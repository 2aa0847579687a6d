// SPDX-License-Identifier: AGPL-3.0-or-later

import { createHash } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { decodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';
import type { WhatsAppEmulator } from '../../emulators/whatsapp/api.ts';
import { SeededRandom } from '../../support/random.ts';
import { encodeKeys, newSpoolKeys, readSpool } from '../../support/spool-fixture.ts';
import type { CaptureSettings } from './capture-process.ts';
import { account, bob, carol, number, QUICK, startEmulator, wireOf } from './harness.ts';

/** A connector in a process of its own, with a real spool, and the server it captures from. */
export class Killable {
  readonly emulator: WhatsAppEmulator;
  /** What the latest process printed. */
  readonly printed: string[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'whatsapp-kills-'));
  readonly #keys = newSpoolKeys();
  readonly #settings: CaptureSettings;

  private constructor(emulator: WhatsAppEmulator, settings: Pick<CaptureSettings, 'state'>) {
    this.emulator = emulator;
    onTestFinished(() => rmSync(this.#directory, { recursive: true, force: true }));
    const directory = join(this.#directory, 'spool');
    const keys = encodeKeys(this.#keys);
    this.#settings = { ...settings, directory, keys, account, wire: wireOf(emulator), config: QUICK };
  }

  static async start(): Promise<Killable> {
    const emulator = await startEmulator();
    return new Killable(emulator, { state: await emulator.linkReady(number) });
  }

  /** Resolves when the process runs. */
  async spawn(
    script: 'capture-process.ts' | 'stock-process.ts' | 'rejecting-process.ts',
    dies?: CaptureSettings['dies'],
  ): Promise<ChildProcess> {
    const file = join(this.#directory, 'settings.json');
    writeFileSync(file, JSON.stringify({ ...this.#settings, ...(dies === undefined ? {} : { dies }) }));
    const path = fileURLToPath(new URL(script, import.meta.url));
    // The client is ten megabytes of code: compiled once, not at every start.
    const env = { ...process.env, NODE_COMPILE_CACHE: join(this.#directory, 'compiled') };
    const child = spawn(process.execPath, [path, file], { stdio: ['ignore', 'pipe', 'pipe'], env });
    onTestFinished(() => void child.kill('SIGKILL'));
    this.printed.length = 0;
    child.stdout.on('data', (bytes: Buffer) => this.printed.push(bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => this.printed.push(bytes.toString()));
    await once(child.stdout, 'data');
    return child;
  }

  /** How often each decrypted message is in the spool, by its hash. The process must have ended. */
  async archived(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const { t, raw } of await readSpool(this.#settings.directory, this.#keys)) {
      if (t !== 'content') continue;
      for (const { is, bytes } of decodeRaw(raw)?.parts ?? []) {
        if (is !== 'plaintext') continue;
        const message = bytes.subarray(0, bytes.length - (bytes.at(-1) ?? 0));
        const hash = createHash('sha256').update(message).digest('hex');
        counts.set(hash, (counts.get(hash) ?? 0) + 1);
      }
    }
    return counts;
  }

  /** Hashes of what the server was told is delivered. */
  async receipted(): Promise<string[]> {
    return (await this.emulator.receipted(number)).flatMap(({ plaintextSha256 }) => plaintextSha256);
  }
}

export async function exited(child: ChildProcess, signal?: NodeJS.Signals): Promise<void> {
  const exit = once(child, 'exit');
  if (child.exitCode !== null || child.signalCode !== null) return;
  if (signal !== undefined) child.kill(signal);
  await exit;
}

export interface KillRun {
  readonly sent: number;
  /** Told to the server as delivered, not in the archive. */
  readonly missing: number;
  readonly twice: number;
  /** Neither delivered nor in the archive at the end. */
  readonly undelivered: number;
  readonly refused: number;
  readonly killedWhileCapturing: number;
}

/** A round that has not captured by then is killed all the same. */
const LONGEST_ROUND_MS = 30_000;

/**
 * Kills the connector again and again while 50 messages a second come in, then lets it finish. Half of the kills fall anywhere, the start
 * included; the others fall into capture, however slow the machine is.
 */
export async function killRounds(
  rounds: number,
  seed: number,
  onRound: (done: number, sent: number) => void = () => undefined,
): Promise<KillRun> {
  const random = new SeededRandom(seed);
  const world = await Killable.start();
  const { emulator } = world;
  const chat = await emulator.addGroup({ subject: 'Plans', members: [bob, carol, number] });
  const stop = new AbortController();
  let sent = 0;
  const open: number[] = [];
  const talking = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const where =
        random.below(3) === 0 ? { from: random.pick([bob, carol]), chat } : { from: random.pick([bob, carol]) };
      const message = { conversation: `message ${(sent += 1)}` };
      open.push(...(await emulator.send({ to: number, ...where, message })).entries);
      await sleep(20);
    }
  })();
  let killedWhileCapturing = 0;
  const serials = async (): Promise<ReadonlySet<number>> =>
    new Set((await emulator.receipted(number)).map(({ serial }) => serial));
  for (let round = 0; round < rounds; round += 1) {
    const before = await serials();
    const child = await world.spawn('capture-process.ts');
    while (open[0] !== undefined && before.has(open[0])) open.shift();
    // The next one that is told to be delivered, not the latest: on a slow machine there is a queue.
    const next = emulator.answered(open.slice(0, 1));
    if (random.below(2) === 0) await Promise.race([next, sleep(LONGEST_ROUND_MS)]);
    await sleep(random.below(1200));
    await exited(child, 'SIGKILL');
    if ((await serials()).size > before.size) killedWhileCapturing += 1;
    onRound(round + 1, sent);
  }
  stop.abort();
  await talking;
  const last = await world.spawn('capture-process.ts');
  await emulator.drained(number);
  await exited(last, 'SIGTERM');
  const archived = await world.archived();
  const receipted = await world.receipted();
  const book = await emulator.book(number);
  return {
    sent,
    missing: receipted.filter((hash) => !archived.has(hash)).length,
    twice: [...archived.values()].filter((count) => count > 1).length,
    undelivered: book.filter(({ plaintextSha256 }) => plaintextSha256.some((hash) => !archived.has(hash))).length,
    refused: book.filter(({ state }) => state === 'refused').length,
    killedWhileCapturing,
  };
}
