// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decrypted } from '../../../../src/connectors/whatsapp/media/decrypt.ts';
import { MediaHost } from '../../../../src/connectors/whatsapp/media/host.ts';
import { emulatorAgent } from '../../../emulators/whatsapp/emulator-agent.ts';
import { forkWhatsAppEmulator } from '../../../emulators/whatsapp/process.ts';

export interface Streamed {
  readonly bytes: number;
  readonly isWhole: boolean;
  /** Most that this process held more than before, garbage not counted. */
  readonly peakBytes: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function heldBytes(): Promise<number> {
  // What the first one finds is freed on another thread.
  for (let round = 0; round < 3; round += 1) {
    collectGarbage();
    await sleep(5);
  }
  const { arrayBuffers, external } = process.memoryUsage();
  return Math.max(arrayBuffers, external);
}

/** Fetches and decrypts a file of this size from an emulator in another process, and throws the bytes away. */
export async function stream(size: number): Promise<Streamed> {
  await using emulator = await forkWhatsAppEmulator({ tls: true });
  const media = await emulator.putMedia({ kind: 'document', size });
  const agent = emulatorAgent(emulator);
  const host = new MediaHost({ headersMs: 30_000, idleMs: 30_000, totalMs: 1_800_000 }, agent);
  const before = await heldBytes();
  const hash = createHash('sha256');
  let [bytes, peakBytes, sampledAt] = [0, 0, 0];
  const encrypted = host.fetch(media.directPath, size + 64, new AbortController().signal);
  for await (const chunk of decrypted(encrypted, { ...media, type: 'document' }, { mostBytes: size })) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes - sampledAt < size / 16) continue;
    sampledAt = bytes;
    peakBytes = Math.max(peakBytes, (await heldBytes()) - before);
  }
  agent.destroy();
  return { bytes, isWhole: hash.digest().equals(media.fileSha256), peakBytes };
}
