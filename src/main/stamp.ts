// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Config } from '../base/config.ts';
import { Failure } from '../base/failure.ts';
import { readManifest } from '../export/read-manifest.ts';
import type { StampResult } from '../export/stamps/stamp.ts';
import { keepWitnesses } from '../export/stamps/witnesses.ts';
import { FormatError } from '../record/format-error.ts';
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

/**
 * Lays beside an export what others say of it. The export is whole without: who does not answer, and what cannot be read or written here, is
 * in `failed`, by code, and can be asked again. Throws `export/not-an-export`.
 */
export async function stampFolder(folder: string, place: StampPlace): Promise<Stamped> {
  await readManifest(folder);
  const { stamped, failed } = await byAuthorities(folder, place.timeStamps);
  const witnesses = await tried(() => byWitnesses(folder, place));
  if ('code' in witnesses) return { stamped, failed: [...failed, witnesses.code], witnessed: null };
  return { stamped, failed, witnessed: witnesses.done };
}

async function byAuthorities(folder: string, timeStamps: StampPlace['timeStamps']): Promise<StampResult> {
  if (timeStamps.length === 0) return { stamped: [], failed: [] };
  // Loaded only where authorities are named: it takes an ASN.1 library.
  const [{ stampExport }, { timeAuthorityOf }] = await Promise.all([
    import('../export/stamps/stamp.ts'),
    import('./time-authorities.ts'),
  ]);
  const { signal } = new AbortController();
  const [stamped, failed]: [string[], string[]] = [[], []];
  for (const one of timeStamps) {
    const own = await tried(async () => await stampExport(folder, [timeAuthorityOf(one)], signal));
    stamped.push(...('code' in own ? [] : own.done.stamped));
    failed.push(...('code' in own ? [own.code] : own.done.failed));
  }
  return { stamped, failed };
}

async function byWitnesses(folder: string, { archive, s3, trust: file }: StampPlace): Promise<number | null> {
  const { manifest } = await readManifest(folder);
  await using opened = await openReader(archive, s3);
  const { reader } = opened;
  return await keepWitnesses(folder, manifest, { reader, trust: readTrust(file), policy: null });
}

type Tried<T> = { readonly done: T } | { readonly code: string };

async function tried<T>(work: () => Promise<T>): Promise<Tried<T>> {
  try {
    return { done: await work() };
  } catch (error) {
    if (error instanceof Failure || error instanceof FormatError) return { code: error.code };
    if (error instanceof ReaderTrouble) return { code: 'export/archive-unread' };
    throw error;
  }
}
