// SPDX-License-Identifier: AGPL-3.0-or-later

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startSignalEmulator, type SignalEmulator } from './emulator.ts';
import { incoming } from './envelopes.ts';
import type { PayloadObject } from './frame.ts';
import type { SignalEmulatorOptions } from './options.ts';

export const account = '+12025550100';
export const dana = { uuid: 'b5c1d9f4-6f39-4d2b-8a0e-3a2f3c9d7711', number: '+12025550171', name: 'Dana Ortiz' };
export const kessler = { uuid: '0d5f1b8e-2f44-4a6b-bb0f-77d2f1c0a3b2', number: null, name: 'r.kessler' };
export const groupId = 'q2Vt0p1X7m0cWm3m4dYbYx0m9lqQwzjz3b8K1o0y9hE=';

/** A directory that goes away when the test is over. */
export async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'signal-emulator-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** One account with two contacts and a group; everything else as the test says. */
export async function startWorld(options: Partial<SignalEmulatorOptions> = {}): Promise<SignalEmulator> {
  return await startSignalEmulator({
    dataDir: await temporaryDir(),
    accounts: [
      {
        number: account,
        uuid: '7c0e2c1a-5b1e-4f0e-9a53-1d1b7f0a9e01',
        contacts: [dana, { ...kessler, isContact: false }],
        groups: [{ internalId: groupId, name: 'Field Office Ops & Co', members: [dana.uuid, kessler.uuid] }],
      },
    ],
    ...options,
  });
}

export function texts(count: number, length = 20): PayloadObject[] {
  return Array.from({ length: count }, (_, at) =>
    incoming(dana, 1_786_000_000_000 + at, { text: `${at} `.padEnd(length, 'x') }),
  );
}
