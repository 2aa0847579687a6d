// SPDX-License-Identifier: AGPL-3.0-or-later
import { assertSafeEnvironment } from '../base/environment.ts';
import type { Events } from '../base/events.ts';
import { runRole, type Running } from '../base/run.ts';
import { readSigningKey } from '../base/secrets.ts';
import { WitnessBook } from '../witness/book.ts';
import { WitnessServer } from '../witness/server.ts';
import { readTrust } from './trusted.ts';
import { VERSION } from './version.ts';

export interface WitnessOptions {
  readonly name: string;
  readonly key: string;
  readonly directory: string;
  /** Trust files of the logs that are watched. */
  readonly trust: readonly string[];
  readonly host: string;
  readonly port: number;
}

/** The witness alone: no bucket, no Redis, no key but its own. */
export async function witness(options: WitnessOptions, events: Events): Promise<void> {
  assertSafeEnvironment();
  await runRole('witness', events, async (running, parts) => {
    const server = makeWitness(options, { events, running, parts });
    await server.listen(options.host, options.port);
    events.started('witness', VERSION);
  });
}

export interface Surroundings {
  readonly events: Events;
  readonly running: Running;
  readonly parts: AsyncDisposableStack;
}

/** Makes a witness that lasts until `parts` are disposed of. */
export function makeWitness(
  options: Pick<WitnessOptions, 'name' | 'key' | 'directory' | 'trust'>,
  { events, running, parts }: Surroundings,
): WitnessServer {
  const key = readSigningKey(options.key);
  const logs = options.trust.map((file) => readTrust(file).log);
  const book = parts.use(new WitnessBook(options.directory, running.fatal));
  const server = new WitnessServer({
    name: options.name,
    key,
    logs,
    book,
    clock: Date.now,
    events: {
      cosigned: (size) => events.cosigned(size),
      refused: (status, reason) => events.cosigningRefused(status, reason),
    },
  });
  parts.defer(() => server.close());
  return server;
}
