// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import type { Trusted } from './trusted.ts';
import type { Surroundings } from './witness.ts';

const HOST = '127.0.0.1';

/**
 * Starts the evaluation's own witness, if there is one, and returns the config in which the archiver asks it. It sees what this process
 * shows it and signs with a key that lies here, so outside of an evaluation, where it would look like an assurance, it is refused
 * (`config/own-witness`).
 */
export async function withOwnWitness(
  config: Config,
  { manifest }: Pick<Trusted, 'manifest'>,
  surroundings: Surroundings,
): Promise<Config> {
  const { ownWitness } = config;
  if (ownWitness === undefined) return config;
  if (!manifest.evaluation) {
    throw new Failure('config/own-witness', {
      expected: 'a witness that is somebody else’s, under `witnesses`',
      got: 'one in the process that it watches',
      where: 'ownWitness',
      fix: 'remove `ownWitness`; who asks for a witness runs `holdfast witness` on a machine of their own',
    });
  }
  const { startWitness } = await import('./witness.ts');
  const port = await startWitness({ ...ownWitness, trust: [config.trust], host: HOST, port: 0 }, surroundings);
  return { ...config, witnesses: [...config.witnesses, { name: ownWitness.name, url: `http://${HOST}:${port}` }] };
}
