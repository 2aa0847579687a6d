// SPDX-License-Identifier: AGPL-3.0-or-later
import type { AskDirectly } from '../archive/witness-client.ts';
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import type { Trusted } from './trusted.ts';
import type { Surroundings } from './witness.ts';

/** A witness that the archiver asks in its own process: nothing listens for it. */
export interface OwnWitness {
  readonly name: string;
  readonly ask: AskDirectly;
}

/**
 * Makes the evaluation's own witness, if there is one. It sees what this process shows it and signs with a key that lies here, so outside
 * of an evaluation, where it would look like an assurance, it is refused (`config/own-witness`).
 */
export async function openOwnWitness(
  { ownWitness, trust }: Pick<Config, 'ownWitness' | 'trust'>,
  { manifest }: Pick<Trusted, 'manifest'>,
  surroundings: Surroundings,
): Promise<OwnWitness | null> {
  if (ownWitness === undefined) return null;
  assertOwnWitness({ manifest });
  const { makeWitness } = await import('./witness.ts');
  const server = makeWitness({ ...ownWitness, trust: [trust] }, surroundings);
  return { name: ownWitness.name, ask: (body) => server.ask(body) };
}

/** Throws `config/own-witness` outside of an evaluation. */
export function assertOwnWitness({ manifest }: Pick<Trusted, 'manifest'>): void {
  if (manifest.evaluation) return;
  throw new Failure('config/own-witness', {
    expected: 'a witness that is somebody else’s, under `witnesses`',
    got: 'one in the process that it watches',
    where: 'ownWitness',
    fix: 'remove `ownWitness`; whoever is to be a witness runs `holdfast witness` on a machine of their own',
  });
}
