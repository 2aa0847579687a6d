// SPDX-License-Identifier: AGPL-3.0-or-later
import { once } from 'node:events';
import type { WhatsAppEmulatorOptions } from './api.ts';
import { startWhatsAppEmulator } from './emulator.ts';
import type { Answer, Call, Greeting } from './process.ts';

type Method = (...args: readonly unknown[]) => Promise<unknown>;

/** The emulator as a process of its own: calls come and go over the channel of `fork`. Ends when the channel closes. */
async function main(): Promise<void> {
  const [options] = (await once(process, 'message')) as [WhatsAppEmulatorOptions];
  await using emulator = await startWhatsAppEmulator(options);
  const { url, mediaUrl, noiseRoot, caCertificate } = emulator;
  const methods = new Map(Object.entries(emulator) as [string, Method][]);
  const answer = (message: Answer | Greeting): void => {
    if (process.connected) process.send?.(message);
  };
  process.on('message', ({ id, method, args }: Call) => {
    const run = methods.get(method);
    if (run === undefined) {
      answer({ id, error: `the emulator has no ${method}` });
      return;
    }
    run(...args).then(
      (value) => answer({ id, value }),
      (error: unknown) => answer({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  answer({ url, mediaUrl, noiseRoot, caCertificate });
  await once(process, 'disconnect');
}

await main();
