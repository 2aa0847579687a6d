// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { runRole } from '../base/run.ts';
import { InProcessLink } from '../queue/in-process.ts';
import { openAudit } from './audit.ts';
import { startArchiver } from './archiver-role.ts';
import { startConnector } from './connector-role.ts';
import { MESSENGERS, type Messengers } from './messengers.ts';
import { openOwnWitness } from './own-witness.ts';
import { openArchive } from './stores.ts';
import { readTrusted } from './trusted.ts';
import { VERSION } from './version.ts';

/** All roles in one process, with a direct hand-over between them: no services, the same code. It also carries what readers did. */
export async function up(
  config: Config,
  events: Events,
  confirmedRetention: boolean,
  messengers: Messengers = MESSENGERS,
): Promise<void> {
  const trusted = readTrusted(config);
  await runRole('up', events, async (running, parts) => {
    // First to start, so last to end: the archiver asks once more when it stops.
    const ownWitness = await openOwnWitness(config, trusted, { events, running, parts });
    const store = parts.use(await openArchive(config.archive));
    const link = new InProcessLink();
    const downlink = parts.use(link.downlink());
    parts.use(
      await startArchiver({ config, trusted, store, downlink, events, running, confirmedRetention, ownWitness }),
    );
    // Beside capture, and never in its way: what goes wrong here is told, and tried again.
    if (config.reader !== undefined)
      parts.use(openAudit(config, { events, uplink: async (reader) => link.uplink(reader) }));
    await startConnector(
      { config, trusted, events, running, messengers, uplink: async (connector) => link.uplink(connector) },
      parts,
    );
    events.started('up', VERSION);
  });
}
