// SPDX-License-Identifier: AGPL-3.0-or-later
import { openCheckpoint } from '../record/checkpoint.ts';
import { FormatError } from '../record/format-error.ts';
import { timeStampPrefix } from '../record/layout.ts';
import { parseTimeStamp, type StoredTimeStamp } from '../record/time-stamp.ts';
import { encodeTlogProof } from '../record/tlog-proof.ts';
import type { ArchiveSource } from './archive-source.ts';
import { CORE, STAMPS } from './files.ts';

/** Stamps that are looked at: damaged ones, and such as no proof leads to yet, do not make a bundle wait. */
const MOST_LOOKED_AT = 64;

/**
 * Time stamps of the earliest checkpoint behind a record that a proof leads to: they say that the record was there before that time. One
 * of each authority, mostly. Nothing where there is none.
 */
export async function putStamps(
  source: ArchiveSource,
  leaf: number,
  put: (name: string, text: string) => void,
): Promise<void> {
  const prefix = timeStampPrefix(source.trust.origin);
  let [looked, found]: [number, { checkpoint: string; texts: string[] } | null] = [0, null];
  for await (const key of source.keysAfter(prefix, `${prefix}${String(leaf).padStart(16, '0')}~`)) {
    if (looked >= MOST_LOOKED_AT || found?.texts.length === STAMPS.length) break;
    looked += 1;
    const text = (await source.read(key))?.toString('utf8') ?? '';
    const stamp = stampIn(source, leaf, text);
    if (stamp === null) continue;
    // Keys ascend by size: another checkpoint is a later one.
    if (found !== null && stamp.checkpoint !== found.checkpoint) break;
    if (found !== null) {
      found.texts.push(text);
      continue;
    }
    const proof = await source.proofUnder(leaf, stamp.checkpoint);
    if (proof === null) continue;
    put(CORE.stampProof, encodeTlogProof(proof));
    found = { checkpoint: stamp.checkpoint, texts: [text] };
  }
  for (const [index, text] of (found?.texts ?? []).entries()) put(STAMPS[index] as string, text);
}

function stampIn(source: ArchiveSource, leaf: number, text: string): StoredTimeStamp | null {
  try {
    const stamp = parseTimeStamp(text);
    return openCheckpoint(stamp.checkpoint, source.trust.log).size > leaf ? stamp : null;
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
