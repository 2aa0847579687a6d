// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Audit } from '../access/audit.ts';
import { need, type Config } from '../base/config.ts';
import { PreparedExport, type ExportOptions, type ExportProgress } from '../export/export.ts';
import { SqliteSnapshot } from '../search/sqlite-snapshot.ts';
import { openReader } from './readers.ts';
import { openerOf } from './reader-keys.ts';
import { readTrust } from './trusted.ts';
import { VERSION } from './version.ts';

/** Chooses and counts what is exported, and hands it to `use`. All of it is of one state of the index, which ends with `use`. */
export async function withExport<T>(
  config: Config,
  audit: Pick<Audit, 'record'>,
  options: ExportOptions,
  onProgress: (progress: ExportProgress) => void,
  use: (prepared: PreparedExport) => Promise<T>,
): Promise<T> {
  const own = need(config.reader, 'reader', 'exporting');
  await using parts = new AsyncDisposableStack();
  const snapshot = parts.use(SqliteSnapshot.open(own.index));
  const { reader } = parts.use(await openReader(config.archive.url, config.archive.s3 ?? null));
  const trust = readTrust(config.trust);
  const made = { snapshot, reader, trust, audit, version: VERSION, opener: () => openerOf(own) };
  return await use(await PreparedExport.choose(made, options, onProgress));
}
