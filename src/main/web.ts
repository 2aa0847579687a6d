// SPDX-License-Identifier: AGPL-3.0-or-later
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Audit } from '../access/audit.ts';
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { ExportDesk } from '../export/desk/export-desk.ts';
import { ArchiveFiles } from '../export/files/archive-files.ts';
import type { RangedReader } from '../export/files/ranged-reader.ts';
import { HoldDesk } from '../matters/hold-desk.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { signersOf } from '../record/manifest.ts';
import { QueryThreads } from '../search/query-threads.ts';
import { ROUTES } from '../web/routes/all.ts';
import { WebServer } from '../web/server.ts';
import { exportThread } from './export-thread.ts';
import { readTrusted } from './trusted.ts';
import { VERSION } from './version.ts';
import { bySignOn, byToken, tlsOf } from './web-entry.ts';

const MOST_THREADS = 4;
const MOST_WAITING = 500;

export interface WebParts {
  readonly config: Config;
  readonly events: Events;
  readonly audit: Audit;
  readonly reader: RangedReader;
}

export interface Served {
  readonly address: string;
  /** Null where people sign on. */
  readonly tokenFile: string | null;
}

/** Serves the reader's API to one user of this machine, or to whoever signs on where the config names a provider, until `parts` are disposed of. */
export async function serveWeb(
  { config, events, audit, reader }: WebParts,
  parts: AsyncDisposableStack,
): Promise<Served> {
  const { index: directory, key, earlierKeys, web } = need(config.reader, 'reader', 'reading');
  const { host = '127.0.0.1', port = 8470, token: tokenFile = join(directory, 'web.token') } = web ?? {};
  // Beside the index and not in it: whoever deletes an index loses nothing.
  const { exports: folder = `${directory}-exports` } = web ?? {};
  const entry = web?.signOn === undefined ? byToken(tokenFile) : bySignOn(web.signOn, web.address ?? '');
  const onTrouble = (code: string): void => events.trouble('web', code);
  const threads = Math.min(MOST_THREADS, availableParallelism());
  const index = parts.use(new QueryThreads({ directory, threads, mostWaiting: MOST_WAITING }));
  const { trust, archive, timeStamps } = config;
  const keys = { key, earlierKeys };
  const place = { index: directory, archive: archive.url, s3: archive.s3 ?? null };
  const run = exportThread({ ...place, trust, keys, timeStamps });
  const exports = parts.use(await ExportDesk.open({ folder, run, audit, clock: Date.now, onTrouble }));
  const server = parts.use(
    new WebServer({
      index,
      files: new ArchiveFiles(reader, config.origin),
      exports,
      holds: holdDesk(config, need(config.reader, 'reader', 'holding').spool),
      version: VERSION,
      audit,
      ...entry,
      address: web?.address ?? null,
      tls: tlsOf(web),
      routes: ROUTES,
      clock: Date.now,
      onTrouble,
    }),
  );
  const taken = await server.listen(host, port);
  const here = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`;
  return { address: web?.address ?? here, tokenFile: web?.signOn === undefined ? tokenFile : null };
}

function holdDesk(config: Config, spool: string): HoldDesk {
  const officers = (): ReadonlyMap<KeyId, SigningKey> => signersOf(readTrusted(config).manifest, 'officer');
  return new HoldDesk({ spool, origin: config.origin, officers, clock: Date.now });
}
