// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import { readManifest } from '../export/read-manifest.ts';
import type { StampResult } from '../export/stamps/stamp.ts';
import { keepWitnesses } from '../export/stamps/witnesses.ts';
import { ReaderTrouble } from '../verify/reader.ts';
import { openReader } from './readers.ts';
import type { S3Settings } from './stores.ts';
import { readTrust } from './trusted.ts';

export interface StampPlace {
  readonly timeStamps: Config['timeStamps'];
  readonly archive: string;
  readonly s3: S3Settings | null;
  /** The trust file. */
  readonly trust: string;
}

export interface Stamped extends StampResult {
  /** Leaves of the checkpoint that witnesses cosigned; null where there is none yet. */
  readonly witnessed: number | null;
}

/** Lays beside an export that is whole what others say of it. Who does not answer is in `failed`, by code, and can be asked again. */
export async function stampFolder(folder: string, place: StampPlace): Promise<Stamped> {
  const { stamped, failed } = await byAuthorities(folder, place.timeStamps);
  try {
    return { stamped, failed, witnessed: await byWitnesses(folder, place) };
  } catch (error) {
    if (error instanceof Failure && error.code !== 'export/write')
      return { stamped, failed: [...failed, error.code], witnessed: null };
    if (error instanceof ReaderTrouble)
      return { stamped, failed: [...failed, 'export/archive-unread'], witnessed: null };
    throw error;
  }
}

async function byAuthorities(folder: string, timeStamps: StampPlace['timeStamps']): Promise<StampResult> {
  if (timeStamps.length === 0) return { stamped: [], failed: [] };
  // Loaded only where authorities are named: it takes an ASN.1 library.
  const [{ stampExport }, { timeAuthorities }] = await Promise.all([
    import('../export/stamps/stamp.ts'),
    import('./time-authorities.ts'),
  ]);
  return await stampExport(folder, timeAuthorities({ timeStamps }), new AbortController().signal);
}

async function byWitnesses(folder: string, { archive, s3, trust: file }: StampPlace): Promise<number | null> {
  const { manifest } = await readManifest(folder);
  await using opened = await openReader(archive, s3);
  const { reader } = opened;
  return await keepWitnesses(folder, manifest, { reader, trust: readTrust(file), policy: null });
}
