// SPDX-License-Identifier: Apache-2.0
import type { Checkpoint } from '../record/checkpoint.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { parseHeads } from '../record/heads.ts';
import { headsKey, segmentKey } from '../record/layout.ts';
import { Findings } from './findings.ts';
import { leafName, readHeads } from './heads-check.ts';
import { KeyBook } from './keys.ts';
import { LinkBook } from './links.ts';
import type { LogCheck } from './log-check.ts';
import { readWhole, ReaderTrouble } from './reader.ts';
import { RuleBook } from './rules.ts';
import type { SegmentSummary, UnreadableSegment } from './summary.ts';
import type { WalkParts } from './walk.ts';

/**
 * Where to begin, given a checkpoint seen earlier: at the newest heads that it covers, with the state they hold. That state is
 * believed because an entry below the checkpoint names it, and the walk from there must lead to the checkpoint's root. Without
 * such heads reading begins at leaf 0.
 */
export async function chooseStart(parts: WalkParts, check: LogCheck, since: Checkpoint | null): Promise<number> {
  if (since === null) return 0;
  const candidates = [...parts.stored.heads.leaves()].filter((leaf) => leaf < since.size);
  for (const leaf of candidates.toReversed()) {
    try {
      if (await startAt(parts, check, leaf, since.size)) return leaf;
    } catch (error) {
      // What is wrong there is found when it is read in its turn, from an earlier start.
      if (!(error instanceof FormatError) && !(error instanceof ReaderTrouble)) throw error;
    }
  }
  return 0;
}

async function startAt(parts: WalkParts, check: LogCheck, leaf: number, most: number): Promise<boolean> {
  const stored = parts.stored.heads.peek(leafName(leaf));
  const segment = await readSummary(parts, leaf);
  if (stored === null || segment === null || 'malformed' in segment) return false;
  // Only an entry below the checkpoint is vouched for by it.
  if (segment.origin !== parts.trust.origin || segment.first !== leaf || segment.end > most) return false;
  const bytes = await readHeads(parts.reader, headsKey(parts.trust.origin, leaf), stored);
  const hash = sha256Hex(bytes);
  const isNamed = segment.events.some(({ entry }) => entry.t === 'heads' && entry.file.h === hash);
  const heads = parseHeads(bytes);
  if (!isNamed || heads.origin !== parts.trust.origin || heads.leaves !== leaf) return false;
  if (!new RuleBook(new Findings()).restore(heads.rules)) return false;
  if (!new KeyBook(parts.trust, new Findings(), () => undefined).restore(heads.docs, heads.rules)) return false;
  new LinkBook(parts.trust, new Findings()).restore(heads.docs, heads.rules);
  check.rules.restore(heads.rules);
  check.keys.restore(heads.docs, heads.rules);
  check.links.restore(heads.docs, heads.rules);
  check.streams.restore(heads, segment.tail.at);
  check.jumpTo(leaf, segment.edge);
  return true;
}

async function readSummary(parts: WalkParts, leaf: number): Promise<SegmentSummary | UnreadableSegment | null> {
  const stored = parts.stored.segments.peek(leafName(leaf));
  if (stored === null) return null;
  const bytes = await readWhole(parts.reader, segmentKey(parts.trust.origin, leaf), stored.version, stored.size);
  return parts.pool.run({ kind: 'segment', bytes, origin: parts.trust.origin, cuts: [] });
}
