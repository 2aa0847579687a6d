// SPDX-License-Identifier: AGPL-3.0-or-later
// Connector and archiver for the benches that need both, with the keys of the test vectors.
import { join } from 'node:path';
import { Archiver } from '../src/archive/archiver.ts';
import { openDirStore } from '../src/archive/dir-store.ts';
import type { BullmqDownlink } from '../src/queue/bullmq-downlink.ts';
import type { Uplink } from '../src/queue/link.ts';
import { openManifest, signersOf, signManifest } from '../src/record/manifest.ts';
import { Shipper } from '../src/spool/shipper.ts';
import type { Spool } from '../src/spool/spool.ts';
import { SCHEDULES, Told } from '../test/support/archiver-kit.ts';
import { LOG_KEY, MANIFEST } from '../test/support/spool-parts.ts';
import { ARCHIVER, CONNECTOR, LOG, ORIGIN, ROOT } from '../test/vectors/keys.ts';
import { fail } from './spool-role.ts';

export const complain = (what: string, code: string): void => console.error(what, code);
const manifest = signManifest(MANIFEST, ROOT.privateKey);
const archivers = signersOf(openManifest(manifest, ROOT.key, ORIGIN), 'archiver');

export function startArchiver(directory: string, downlink: BullmqDownlink): Promise<Archiver> {
  return openDirStore(join(directory, 'archive')).then((store) =>
    Archiver.start({
      store,
      downlink,
      origin: ORIGIN,
      root: ROOT.key,
      logKey: LOG_KEY,
      keys: { log: LOG.privateKey, archiver: ARCHIVER.privateKey, archiverPublic: ARCHIVER.key },
      manifest,
      schedules: SCHEDULES,
      confirmedRetention: true,
      rhythm: { maxBytes: 4 * 2 ** 20, maxDelayMs: 200 },
      headsEveryMs: 86_400_000,
      readBackAfterMs: 3_600_000,
      clock: Date.now,
      events: new Told(),
      onFatal: fail,
    }),
  );
}

export function startShipper(spool: Spool, uplink: Uplink): Shipper {
  return new Shipper({
    spool,
    uplink,
    signingKey: CONNECTOR.privateKey,
    archivers,
    clock: Date.now,
    againAfterMs: 30_000,
    events: {
      shipped: () => undefined,
      archived: () => undefined,
      refused: (code) => complain('refused', code),
      trouble: complain,
    },
    onDoubt: async () => complain('doubt', 'of a stream'),
  });
}
