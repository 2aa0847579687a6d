// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import { need } from '../base/config.ts';
import type { PartName } from '../record/commitment.ts';
import { parsePolicy } from '../record/policy.ts';
import type { Trust } from '../record/trust.ts';
import { ArchiveSource, missing } from '../prove/archive-source.ts';
import { collect } from '../prove/collect.ts';
import { derive } from '../prove/derive.ts';
import { disclose } from '../prove/disclose.ts';
import { audited } from './audit.ts';
import { openerOf } from './reader-keys.ts';
import { openReader } from './readers.ts';
import type { S3Settings } from './stores.ts';

export interface ProveRequest {
  readonly url: string;
  readonly s3: S3Settings | null;
  readonly trust: Trust;
  /** A leaf number, or a record's id. */
  readonly record: string;
  readonly policy?: string;
  /** Parts to disclose, with the deployment whose reader looks. */
  readonly disclose: { readonly config: Config; readonly parts: readonly PartName[] } | null;
}

/** All files of a bundle. What is disclosed is recorded as a reader's act before it is opened. Throws `prove/not-found`, `prove/not-opened`. */
export async function proveRecord(request: ProveRequest): Promise<Map<string, Buffer>> {
  await using opened = await openReader(request.url, request.s3);
  const source = new ArchiveSource(
    opened.reader,
    request.trust,
    request.policy === undefined ? null : parsePolicy(request.policy),
  );
  const leaf = await leafOf(source, request.record);
  const core = await collect(source, leaf, request.policy === undefined ? {} : { policy: request.policy });
  if (request.disclose !== null) {
    const { config, parts } = request.disclose;
    const opener = openerOf(need(config.reader, 'reader', 'disclosing'));
    await audited(config, 'prove', async (audit) => {
      await audit.record([
        { act: 'export', selection: `leaf ${leaf}`, format: `proof of ${parts.join(', ')}`, items: 1 },
      ]);
      for (const [name, bytes] of await disclose(source, leaf, opener, parts)) core.set(name, bytes);
    });
  }
  return new Map([...core, ...derive(core)]);
}

async function leafOf(source: ArchiveSource, record: string): Promise<number> {
  if (/^(?:0|[1-9]\d{0,14})$/.test(record)) return Number(record);
  const leaf = await source.leafOf(record);
  if (leaf === null) throw missing(`a record with the id ${record}`, 'none in the published tiles, or behind them');
  return leaf;
}
