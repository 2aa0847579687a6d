// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../../base/failure.ts';
import { askTimeStamp, type TimeAuthority } from '../../timestamp/ask.ts';
import { readManifest } from '../read-manifest.ts';
import { keepStamp } from './stamps.ts';

export interface StampResult {
  /** Names of the tokens within the export. */
  readonly stamped: readonly string[];
  /** Codes of what went wrong, one for each authority that gave none. */
  readonly failed: readonly string[];
}

/**
 * Has each authority stamp an export that is whole: its manifest, which has the hash of all else. They are told that hash alone. One that
 * does not answer holds up nobody: it can be asked again. Throws `export/not-an-export`, `export/write`.
 */
export async function stampExport(
  folder: string,
  authorities: readonly TimeAuthority[],
  signal: AbortSignal,
): Promise<StampResult> {
  const { bytes } = await readManifest(folder);
  const [stamped, failed]: [string[], string[]] = [[], []];
  for (const authority of authorities) {
    try {
      const { stamp } = await askTimeStamp(authority, bytes.toString('utf8'), signal);
      stamped.push(await keepStamp(folder, stamp));
    } catch (error) {
      if (!(error instanceof Failure) || error.code === 'export/write') throw error;
      failed.push(error.code);
    }
  }
  return { stamped, failed };
}
