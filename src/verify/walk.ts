// SPDX-License-Identifier: Apache-2.0
import { segmentKey } from '../record/layout.ts';
import { MAX_SEGMENT_BYTES } from '../record/segment.ts';
import type { Trust } from '../record/trust.ts';
import type { Findings } from './findings.ts';
import { leafName } from './heads-check.ts';
import type { LogCheck } from './log-check.ts';
import type { TaskPool } from './pool.ts';
import type { Progress } from './progress.ts';
import { readWhole, ReaderTrouble, type ArchiveReader } from './reader.ts';
import type { SegmentSummary, UnreadableSegment } from './summary.ts';
import type { Stored } from './survey.ts';
import type { LogTree } from './tree.ts';

/** Segments read ahead of the one that is judged. */
const MOST_AHEAD = 12;
const MOST_AHEAD_BYTES = 16 * 1024 * 1024;

export interface WalkParts {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  readonly stored: Stored;
  readonly findings: Findings;
  readonly pool: TaskPool;
  readonly progress: Progress;
  readonly tree: LogTree;
}

interface Fetched {
  readonly leaf: number;
  readonly key: string;
  readonly size: number;
  readonly outcome: SegmentSummary | UnreadableSegment | ReaderTrouble;
}

/**
 * Reads every segment from leaf `start` on, in order, and hands it to the check. Leaves between that are in no segment are found. Returns
 * false if the last segment could not be read: nobody can say then where the log ends.
 */
export async function walkSegments(parts: WalkParts, check: LogCheck, start: number): Promise<boolean> {
  const { findings, progress, stored } = parts;
  progress.startReading(share(stored.segments.leaves(), start));
  // Null behind what could not be read: the next segment's name says where the log goes on.
  let next: number | null = start;
  for await (const { leaf, key, outcome } of fetchedFrom(parts, start)) {
    const where = { leaf, key };
    if (next !== null && leaf < next) {
      findings.add('verify/segment-overlap', where, `a segment at leaf ${next}`, `one at ${leaf}`);
      continue;
    }
    if (next !== null && leaf > next) {
      findings.add('verify/segment-missing', { leaf: next }, `a segment at leaf ${next}`, `the next one at ${leaf}`);
      check.streams.skipLeaves();
    }
    const summary = usable(findings, where, outcome, parts.trust.origin);
    if (summary === null) {
      check.streams.skipLeaves();
      next = null;
      continue;
    }
    if (leaf !== next) check.jumpTo(leaf, summary.edge);
    await check.take(summary);
    progress.addRecords(summary.runs.reduce((sum, { records }) => sum + records, 0));
    next = summary.end;
  }
  return next !== null;
}

/** The part of the segments that begin at `start` or behind it. */
function share(leaves: Iterable<number>, start: number): number {
  let [all, behind] = [0, 0];
  for (const leaf of leaves) {
    all += 1;
    if (leaf >= start) behind += 1;
  }
  return all === 0 ? 1 : behind / all;
}

/** The summary if the object is a segment of this place; else what is wrong with it is noted down. */
function usable(
  findings: Findings,
  where: { leaf: number; key: string },
  outcome: Fetched['outcome'],
  origin: string,
): SegmentSummary | null {
  if (outcome instanceof ReaderTrouble) {
    findings.add('verify/reader-failed', where, 'the segment as listed', outcome.got);
    return null;
  }
  if ('malformed' in outcome) {
    findings.add('verify/segment-malformed', where, 'a segment', outcome.malformed);
    return null;
  }
  if (outcome.first !== where.leaf || outcome.origin !== origin) {
    const got = `leaf ${outcome.first} of ${outcome.origin === origin ? 'it' : 'another log'}`;
    findings.add('verify/segment-place', where, `leaf ${where.leaf} of ${origin}`, got);
    return null;
  }
  return outcome;
}

/** Reads ahead, so that store and threads never wait for one another. */
async function* fetchedFrom(parts: WalkParts, start: number): AsyncGenerator<Fetched> {
  const ahead: { leaf: number; key: string; size: number; outcome: Promise<Fetched['outcome']> }[] = [];
  const leaves = parts.stored.segments.leaves();
  let held = 0;
  let isFirst = true;
  let following = leaves.next();
  for (;;) {
    // Before the first segment is judged nobody knows any key, and threads could not check a signature.
    while (following.done !== true && ahead.length < (isFirst ? 1 : MOST_AHEAD) && held < MOST_AHEAD_BYTES) {
      const leaf = following.value;
      following = leaves.next();
      if (leaf < start) continue;
      const fetch = startFetch(parts, leaf, following.done === true ? Infinity : following.value);
      held += fetch.size;
      ahead.push(fetch);
    }
    const oldest = ahead.shift();
    if (oldest === undefined) return;
    yield { ...oldest, outcome: await oldest.outcome };
    held -= oldest.size;
    isFirst = false;
  }
}

function startFetch(
  parts: WalkParts,
  leaf: number,
  next: number,
): { leaf: number; key: string; size: number; outcome: Promise<Fetched['outcome']> } {
  const key = segmentKey(parts.trust.origin, leaf);
  const { size, version } = parts.stored.segments.find(leafName(leaf)) ?? { size: 0, version: '' };
  const outcome = readSegment(parts, { leaf, next }, { key, size, version }).catch((error: unknown) => {
    if (error instanceof ReaderTrouble) return error;
    throw error;
  });
  // Awaited in its turn; until then a rejection must not count as unhandled.
  outcome.catch(() => undefined);
  return { leaf, key, size, outcome };
}

async function readSegment(
  { reader, trust, pool, progress, tree }: WalkParts,
  { leaf, next }: { leaf: number; next: number },
  { key, size, version }: { key: string; size: number; version: string },
): Promise<SegmentSummary | UnreadableSegment> {
  if (size > MAX_SEGMENT_BYTES) return { malformed: `${size} bytes instead of at most ${MAX_SEGMENT_BYTES}` };
  const bytes = await readWhole(reader, key, version, size);
  progress.addBytes(bytes.length);
  return pool.run({ kind: 'segment', bytes, origin: trust.origin, cuts: tree.wantedBetween(leaf, next) });
}

/** A second reading, for what records say of others that were too far back to be remembered. */
export async function rereadForClaims(parts: WalkParts, check: LogCheck): Promise<void> {
  const { claims, streams } = check;
  if (claims.late.length === 0) return;
  parts.progress.step('reading again', parts.stored.segments.bytes);
  parts.progress.startReading(1);
  const from = Math.min(...claims.late.map(({ stream }) => streams.get(stream)?.openLeaf ?? 0));
  for await (const { outcome } of fetchedFrom(parts, lastAtMost(parts.stored.segments.leaves(), from))) {
    if (claims.late.length === 0) return;
    if (!(outcome instanceof ReaderTrouble) && !('malformed' in outcome)) claims.onReread(outcome);
  }
}

function lastAtMost(leaves: Iterable<number>, most: number): number {
  let last = 0;
  for (const leaf of leaves) {
    if (leaf > most) break;
    last = leaf;
  }
  return last;
}
