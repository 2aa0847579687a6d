// SPDX-License-Identifier: AGPL-3.0-or-later
// The spool of a connector, for the benches that need one and no queue.
import { Spool } from '../src/spool/spool.ts';
import { WatermarkGate, WATERMARKS } from '../src/spool/watermark.ts';
import { LOG_KEY, MANIFEST, secret } from '../test/support/spool-parts.ts';
import { CONNECTOR, ORIGIN } from '../test/vectors/keys.ts';

export const fail = (error: unknown): void => {
  console.error(error);
  process.exitCode = 1;
};

export async function openSpool(directory: string): Promise<Spool> {
  return Spool.open({
    directory,
    origin: ORIGIN,
    manifest: MANIFEST,
    logKey: LOG_KEY,
    signingKey: CONNECTOR.privateKey,
    hostKey: secret('host'),
    deploymentKey: secret('deployment'),
    clock: Date.now,
    gate: () =>
      new WatermarkGate(
        async () => ({ used: 1, total: 10 }),
        WATERMARKS,
        () => undefined,
      ),
    onFatal: fail,
    events: { doubtful: () => undefined },
  });
}
