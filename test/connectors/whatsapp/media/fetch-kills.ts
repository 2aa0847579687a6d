// SPDX-License-Identifier: AGPL-3.0-or-later
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { proto } from '@whiskeysockets/baileys';
import { onTestFinished } from 'vitest';
import type { MediaFault, WhatsAppEmulator } from '../../../emulators/whatsapp/api.ts';
import { SeededRandom } from '../../../support/random.ts';
import { encodeKeys, newSpoolKeys, readObject, readSpool } from '../../../support/spool-fixture.ts';
import { exited } from '../kills.ts';
import { account, bob, number, startTlsEmulator } from './kit.ts';
import type { FetchSettings } from './fetch-process.ts';

const CHAT = `${bob}@s.whatsapp.net`;
const QUICK = {
  timeouts: { connect: '5s', query: '2s', download: '2s' },
  intervals: { retry: '30ms', sweep: '50ms', alive: '100ms' },
  media: { headers: '2s', idle: '2s', askAgain: '200ms' },
};

export interface FetchRun {
  /** Pictures and history messages that came. */
  readonly pictures: number;
  readonly past: number;
  /** Pictures whose bytes are in the archive, each once; and those that are there more often. */
  readonly archived: number;
  readonly twice: number;
  readonly archivedPast: number;
  readonly pastTwice: number;
  /** Gaps that did not close. */
  readonly openGaps: number;
}

/** Kills the connector while pictures come, some of them gone or damaged at first, and history; then lets it finish. */
export async function fetchKills(rounds: number, seed: number): Promise<FetchRun> {
  const random = new SeededRandom(seed);
  const emulator = await startTlsEmulator();
  const home = mkdtempSync(join(tmpdir(), 'whatsapp-fetches-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const keys = newSpoolKeys();
  const directory = join(home, 'spool');
  const file = join(home, 'settings.json');
  writeFileSync(file, JSON.stringify(await settingsOf(emulator, directory, encodeKeys(keys))));
  const pictures: string[] = [];
  let past = 0;
  for (let round = 0; round < rounds; round += 1) {
    const child = await start(file);
    for (let count = 0; count < 4; count += 1) pictures.push(await sendPicture(emulator, random));
    past += await sendHistory(emulator, round);
    await sleep(random.below(700));
    await exited(child, 'SIGKILL');
  }
  const last = await start(file);
  await emulator.drained(number);
  await fetched(last);
  await exited(last, 'SIGTERM');
  return await judge({ directory, keys, pictures, past });
}

async function settingsOf(emulator: WhatsAppEmulator, directory: string, keys: string): Promise<FetchSettings> {
  const { url, mediaUrl, caCertificate } = emulator;
  const noiseRoot = Buffer.from(emulator.noiseRoot).toString('hex');
  const state = await emulator.linkReady(number, { preKeys: 50 });
  return { directory, keys, account, state, emulator: { url, mediaUrl, caCertificate, noiseRoot }, config: QUICK };
}

/** Resolves when the process runs. */
async function start(file: string): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('fetch-process.ts', import.meta.url));
  const child = spawn(process.execPath, [path, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

/** It says so from time to time; what was true before this moment does not count. */
async function fetched({ stdout }: ChildProcess): Promise<void> {
  await sleep(300);
  stdout?.resume();
  for await (const bytes of stdout ?? []) if (String(bytes).includes('fetched')) return;
}

/** Returns the SHA-256 of the file, in hex. */
async function sendPicture(emulator: WhatsAppEmulator, random: SeededRandom): Promise<string> {
  const faults: (MediaFault | null)[] = [
    null,
    { fault: 'trickle', bytesPerSecond: 2_000_000 },
    { fault: 'reset', afterBytes: 100_000, times: 1 },
    { fault: 'status', status: 404 },
    { fault: 'flip', atByte: 1000 },
  ];
  const size = 200_000 + random.below(600_000);
  const media = await emulator.putMedia({ kind: 'image', size });
  await emulator.setMediaFault(media.directPath, random.pick(faults));
  const message = { imageMessage: { ...media, mimetype: 'image/jpeg' } };
  await emulator.send({ to: number, from: bob, message, mediaType: 'image' });
  return Buffer.from(media.fileSha256).toString('hex');
}

/** Returns the number of messages in it. */
async function sendHistory(emulator: WhatsAppEmulator, round: number): Promise<number> {
  const messages = Array.from({ length: 500 }, (_, at) => ({
    message: {
      key: { remoteJid: CHAT, fromMe: false, id: `OLD${round}.${at}` },
      message: { conversation: `past ${round}.${at}` },
      messageTimestamp: 1_700_000_000 + at,
    },
  }));
  const syncType = proto.HistorySync.HistorySyncType.RECENT;
  const content = { syncType, conversations: [{ id: CHAT, messages }] };
  await emulator.sendHistory(number, { syncType, chunkOrder: round, content });
  return messages.length;
}

async function judge(run: {
  readonly directory: string;
  readonly keys: ReturnType<typeof newSpoolKeys>;
  readonly pictures: readonly string[];
  readonly past: number;
}): Promise<FetchRun> {
  const files = new Map<string, number>();
  const texts = new Map<string, number>();
  let openGaps = 0;
  for (const { t, view, header } of await readSpool(run.directory, run.keys)) {
    if (t === 'media' && view.kind === 'attachment') {
      const { sha256, size } = view.object;
      const isThere = (await readObject(run.directory, header, view)).length === size;
      files.set(sha256, (files.get(sha256) ?? 0) + (isThere ? 1 : 0));
    }
    const text = view.kind === 'message' ? view.content.text : null;
    if (text?.startsWith('past ') === true) texts.set(text, (texts.get(text) ?? 0) + 1);
    if (t === 'gap' && header['scope'] === 'attachment') openGaps += header['state'] === 'open' ? 1 : -1;
  }
  return {
    pictures: run.pictures.length,
    past: run.past,
    archived: run.pictures.filter((sha256) => files.get(sha256) === 1).length,
    twice: [...files.values()].filter((count) => count > 1).length,
    archivedPast: texts.size,
    pastTwice: [...texts.values()].filter((count) => count > 1).length,
    openGaps,
  };
}
