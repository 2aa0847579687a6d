// SPDX-License-Identifier: Apache-2.0
import { FormatError } from '../record/format-error.ts';
import { MAX_SEGMENT_BYTES, parseSegment, verifyTail, type Segment } from '../record/segment.ts';
import type { Findings } from './findings.ts';
import type { KeyBook } from './keys.ts';
import { readWhole, ReaderTrouble, type ArchiveReader, type StoredVersion } from './reader.ts';

/** A later version of a segment with other bytes than the first. */
export interface Rival {
  readonly leaf: number;
  readonly winner: StoredVersion;
  readonly later: StoredVersion;
}

/**
 * Where a store does not honour preconditions, archivers that race leave the losers' segments behind the first: each is a segment of the
 * same place, behind the same log, by an archiver of a manifest. That is a note. Anything else under the name is a finding.
 */
export async function judgeRivals(
  rivals: readonly Rival[],
  { reader, keys, origin, findings }: { reader: ArchiveReader; keys: KeyBook; origin: string; findings: Findings },
): Promise<void> {
  for (const rival of rivals) {
    const { key, size } = rival.later;
    try {
      const hasLost = await isLosing(reader, rival, keys, origin);
      const code = hasLost ? 'verify/version-losing-segment' : 'verify/version-other-bytes';
      findings.add(code, { key }, 'one version', `a later one of ${size} bytes`);
    } catch (error) {
      if (!(error instanceof ReaderTrouble)) throw error;
      findings.add('verify/reader-failed', { key }, 'the bytes of every version', error.got);
    }
  }
}

async function isLosing(reader: ArchiveReader, rival: Rival, keys: KeyBook, origin: string): Promise<boolean> {
  const [winner, later] = [await read(reader, rival.winner), await read(reader, rival.later)];
  const key = later === null ? undefined : keys.anyArchiver(later.tail.key);
  if (winner === null || later === null || key === undefined) return false;
  const isHere = later.head.origin === origin && later.head.first === rival.leaf;
  return isHere && sameHistory(winner, later) && isSigned(later, key);
}

/** Null if it is no segment. */
async function read(reader: ArchiveReader, { key, version, size }: StoredVersion): Promise<Segment | null> {
  if (size > MAX_SEGMENT_BYTES) return null;
  const bytes = await readWhole(reader, key, version, size);
  try {
    return parseSegment(bytes);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

function sameHistory({ head: a }: Segment, { head: b }: Segment): boolean {
  const [ours, theirs] = [a.edge.hashes, b.edge.hashes];
  const isSame = ours.length === theirs.length && ours.every((hash, index) => hash.equals(theirs[index] as Buffer));
  return isSame && a.checkpoint === b.checkpoint;
}

function isSigned(segment: Segment, key: Parameters<typeof verifyTail>[1]): boolean {
  try {
    verifyTail(segment, key);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
