// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { runRole } from '../base/run.ts';
import { BullmqUplink } from '../queue/bullmq-uplink.ts';
import { startConnector } from './connector-role.ts';
import { linkOptions } from './redis.ts';
import { readTrusted } from './trusted.ts';
import { VERSION } from './version.ts';

/** The connector alone: messengers on one side, Redis on the other, a spool of its own. */
export async function connect(config: Config, events: Events): Promise<void> {
  const trusted = readTrusted(config);
  await runRole('connect', events, async (running, parts) => {
    const options = linkOptions(config, 'a connector', events, running);
    const uplink = async (connector: string): Promise<BullmqUplink> => new BullmqUplink({ ...options, connector });
    await startConnector({ config, trusted, events, running, uplink }, parts);
    events.started('connect', VERSION);
  });
}
