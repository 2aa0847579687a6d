// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { runRole } from '../base/run.ts';
import { BullmqDownlink } from '../queue/bullmq-downlink.ts';
import { startArchiver } from './archiver-role.ts';
import { linkOptions } from './redis.ts';
import { openArchive } from './stores.ts';
import { readTrusted } from './trusted.ts';
import { VERSION } from './version.ts';

/** The archiver alone: Redis on one side, the store on the other, and nothing of its own to keep. */
export async function archive(config: Config, events: Events, confirmedRetention: boolean): Promise<void> {
  const trusted = readTrusted(config);
  await runRole('archive', events, async (running, parts) => {
    const store = parts.use(await openArchive(config.archive));
    const downlink = parts.use(new BullmqDownlink(linkOptions(config, 'the archiver', events, running)));
    parts.use(await startArchiver({ config, trusted, store, downlink, events, running, confirmedRetention }));
    events.started('archive', VERSION);
  });
}
