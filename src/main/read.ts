// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { EntryBox } from '../access/entry-box.ts';
import { need, type Config } from '../base/config.ts';
import type { Events } from '../base/events.ts';
import { codeOf, isFailure } from '../base/failure.ts';
import { runRole } from '../base/run.ts';
import type { Uplink } from '../queue/link.ts';
import { ApprovedBox } from '../matters/approved-box.ts';
import type { KeyId } from '../record/key.ts';
import type { IndexDb, IndexState } from '../search/index-db.ts';
import { Indexer, type IndexerParts, type IndexProgress } from '../search/indexer.ts';
import { SqliteIndex } from '../search/sqlite-index.ts';
import { openAudit } from './audit.ts';
import { readReaderKeys } from './reader-keys.ts';
import { openReader } from './readers.ts';
import { linkOptions } from './redis.ts';
import { readTrusted } from './trusted.ts';
import { VERSION } from './version.ts';
import type { Served } from './web.ts';

export interface ReadOptions {
  /** Deletes the index first. */
  readonly rebuild: boolean;
  readonly onProgress: (progress: IndexProgress) => void;
  /** Serves the API as well; without, only where the config has `reader.web`. */
  readonly serves: boolean;
  /** Told where, once it is served. */
  readonly onServed: (served: Served) => void;
}

/** What an indexer is made of, from the config; both ends are disposed of with `parts`. */
async function indexerParts(
  config: Config,
  options: Pick<ReadOptions, 'rebuild' | 'onProgress'>,
  parts: AsyncDisposableStack,
): Promise<IndexerParts> {
  const { index } = need(config.reader, 'reader', 'reading');
  const { trust, manifest } = readTrusted(config);
  const keys = readReaderKeys(config, 'reading');
  const { reader } = parts.use(await openReader(config.archive.url, config.archive.s3 ?? null));
  const db = parts.use(SqliteIndex.openForWriting(index, { rebuild: options.rebuild }));
  return { reader, trust, manifest, ...keys, db, onProgress: options.onProgress };
}

/** One look at the archive: the index is complete up to the log's checkpoint when it resolves. */
export async function readOnce(
  config: Config,
  options: Pick<ReadOptions, 'rebuild' | 'onProgress'>,
): Promise<IndexState | null> {
  await using parts = new AsyncDisposableStack();
  const made = await indexerParts(config, options, parts);
  const indexer = parts.use(await Indexer.open(made));
  const state = await indexer.catchUp();
  // Of a log that nothing was read from nothing is known.
  if (state !== null) sweep(need(config.reader, 'reader', 'reading').spool, made.db);
  return state;
}

/** Follows the log until the process is asked to stop. */
export async function readOn(config: Config, events: Events, options: ReadOptions): Promise<void> {
  await runRole('read', events, async ({ signal, fatal }, parts) => {
    const { followEvery } = need(config.reader, 'reader', 'reading');
    const made = await indexerParts(config, options, parts);
    events.started('read', VERSION);
    const indexer = parts.use(await Indexer.open(made));
    const serves = options.serves || config.reader?.web !== undefined;
    if (config.redis !== undefined || serves) {
      const uplink = config.redis === undefined ? null : uplinkOf(config, events, fatal);
      const audit = parts.use(openAudit(config, { events, uplink }));
      const { reader } = made;
      if (serves) {
        const { serveWeb } = await import('./web.ts');
        options.onServed(await serveWeb({ config, events, audit, reader }, parts));
      }
    }
    let records = (await made.db.state())?.records ?? 0;
    while (!signal.aborted) {
      try {
        const state = await indexer.catchUp(signal);
        if (config.reader !== undefined) sweep(config.reader.spool, made.db);
        if (state !== null && state.records > records) events.indexed(state.position.size, state.records - records);
        records = state?.records ?? records;
      } catch (error) {
        if (!isFailure(error, 'retry')) throw error;
        events.trouble('read', codeOf(error));
      }
      await sleep(followEvery, undefined, { signal }).catch(() => undefined);
    }
  });
}

/** What waited for the log and stands in it waits no longer. */
function sweep(spool: string, { acts }: IndexDb): void {
  new ApprovedBox(spool).sweep(() => acts.holds());
  new EntryBox(spool).sweep(() => acts.ceremonies());
}

/** Loaded only where it is needed, as the server is: a command that searches takes neither, and people wait for it. */
function uplinkOf(config: Config, events: Events, fatal: (error: unknown) => void): (reader: KeyId) => Promise<Uplink> {
  const options = linkOptions(config, 'a reader', events, { fatal });
  return async (connector) => {
    const { BullmqUplink } = await import('../queue/bullmq-uplink.ts');
    return new BullmqUplink({ ...options, connector });
  };
}

const SHIP_WITHIN_MS = 30_000;

/** Carries to the archiver what readers of this machine did. False if some of it still waits; true where there is no way from here. */
export async function shipOnce(config: Config, events: Events): Promise<boolean> {
  if (config.redis === undefined) return true;
  await using audit = openAudit(config, { events, uplink: uplinkOf(config, events, () => undefined) });
  return await audit.shipped(SHIP_WITHIN_MS);
}

/** The index as `search` and `show` read it. */
export function openIndex(config: Config): SqliteIndex {
  return SqliteIndex.openForReading(need(config.reader, 'reader', 'reading').index);
}
