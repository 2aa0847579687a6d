// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDirStore } from '../archive/dir-store.ts';
import { openS3Store, UNPROBED } from '../archive/s3-store.ts';
import type { ArchiveStore } from '../archive/store.ts';
import type { Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { codeOf, isFailure } from '../base/failure.ts';
import { runRole } from '../base/run.ts';
import { HoldKeeper, type HoldReport } from '../steward/hold-keeper.ts';
import { HoldLog } from '../steward/hold-log.ts';
import { openReader } from './readers.ts';
import { s3Config } from './stores.ts';
import { readOwnTrust } from './trusted.ts';
import { VERSION } from './version.ts';

/** What one look at log and store came to. */
export interface StewardReport extends HoldReport {
  /** Size of the log that it answers for. */
  readonly checkpoint: number;
  readonly holds: number;
  /** Entries of the log that count for nothing. */
  readonly ignored: number;
}

interface Steward {
  readonly log: HoldLog;
  readonly keeper: HoldKeeper;
}

/** With public keys and the right to set holds: no key that opens or signs anything is read. */
async function openSteward(config: Config, parts: AsyncDisposableStack): Promise<Steward> {
  const trust = readOwnTrust(config);
  const { reader } = parts.use(await openReader(config.archive.url, config.archive.s3 ?? null));
  const store = parts.use(await openHeld(config.archive));
  return { log: new HoldLog(reader, trust), keeper: new HoldKeeper(store, config.origin) };
}

/** Not probed: the steward may write nothing. Each hold is read back when it is set. */
async function openHeld({ url, s3 }: Config['archive']): Promise<ArchiveStore> {
  return s3 === undefined ? openDirStore(fileURLToPath(url)) : openS3Store(s3Config(url, s3), UNPROBED);
}

async function look({ log, keeper }: Steward, all: boolean): Promise<StewardReport> {
  await log.catchUp();
  const report = await keeper.round(log.held, all);
  return { ...report, checkpoint: log.size, holds: log.held.inForce, ignored: log.held.ignored };
}

/** One round over the log and the whole store, both ways. */
export async function stewardOnce(config: Config): Promise<StewardReport> {
  await using parts = new AsyncDisposableStack();
  return await look(await openSteward(config, parts), true);
}

const NIGHTLY_MS = 86_400_000;

/** Follows the log, and holds the whole store against it once a day. */
export async function stewardOn(config: Config, events: Events, everyMs: number): Promise<void> {
  await runRole('steward', events, async ({ signal }, parts) => {
    const steward = await openSteward(config, parts);
    events.started('steward', VERSION);
    let reconciledMs = -Infinity;
    while (!signal.aborted) {
      const all = performance.now() - reconciledMs >= NIGHTLY_MS;
      try {
        const report = await look(steward, all);
        if (all) reconciledMs = performance.now();
        const { holds, wanted, set, lifted, missing, unlogged } = report;
        const findings = missing.length + unlogged.length;
        if (all || set.length + lifted.length + findings > 0)
          events.holdsKept(holds, wanted, set.length, lifted.length, findings);
      } catch (error) {
        if (!isFailure(error, 'retry')) throw error;
        events.trouble('steward', codeOf(error));
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  });
}
