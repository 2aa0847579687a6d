// SPDX-License-Identifier: Apache-2.0
import type { Checkpoint } from '../record/checkpoint.ts';
import { FormatError } from '../record/format-error.ts';
import { timeStampPrefix } from '../record/layout.ts';
import { fromSeconds, toSeconds } from '../record/period.ts';
import {
  parseTimeStamp,
  type StoredTimeStamp,
  type TimeStampCheck,
  type TimeStampJudge,
} from '../record/time-stamp.ts';
import type { Trust } from '../record/trust.ts';
import { openNote } from './checkpoints.ts';
import { readEvidence, type Evidence } from './evidence.ts';
import type { Findings, FindingCode } from './findings.ts';
import type { ArchiveReader } from './reader.ts';
import type { LogTree } from './tree.ts';

/** A stamp whose checkpoint the log signed. */
export interface StampedCheckpoint {
  readonly evidence: Evidence;
  readonly stamp: StoredTimeStamp;
  readonly checkpoint: Checkpoint;
}

/** Since when the log can be shown not to have changed. */
export interface TimeReport {
  /** Stamps that hold, under authorities that the caller trusts. */
  readonly stamps: number;
  /** Leaves under the newest of them, and its time. */
  readonly size: number;
  readonly at: string;
}

export const NO_TIME: TimeReport = { stamps: 0, size: 0, at: '' };

const CODES = {
  form: 'verify/time-malformed',
  imprint: 'verify/time-imprint',
  signature: 'verify/time-signature',
  signer: 'verify/time-signer',
  usage: 'verify/time-usage',
  validity: 'verify/time-validity',
  untrusted: 'verify/time-untrusted',
  revoked: 'verify/time-revoked',
} as const satisfies Record<TimeStampCheck, FindingCode>;

/** Clocks of authority and store may differ by this much. */
const MOST_SKEW_MS = 300_000;

export async function readStamped(
  reader: ArchiveReader,
  trust: Trust,
  findings: Findings,
): Promise<StampedCheckpoint[]> {
  const all = await readEvidence(reader, timeStampPrefix(trust.origin), 'verify/time-malformed', findings);
  return all.flatMap((evidence) => {
    const { key, size } = evidence;
    try {
      const stamp = parseTimeStamp(evidence.bytes.toString('utf8'));
      const fault = { code: 'verify/time-malformed', key } as const;
      const checkpoint = openNote(stamp.checkpoint, trust.log, fault, findings);
      if (checkpoint === null) return [];
      if (checkpoint.size === size) return [{ evidence, stamp, checkpoint }];
      findings.add('verify/time-malformed', { key }, `a checkpoint of ${size} leaves`, `of ${checkpoint.size}`);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      findings.add('verify/time-malformed', { key }, error.expected, error.got);
    }
    return [];
  });
}

interface Judging {
  readonly tree: LogTree;
  readonly hasEnd: boolean;
  /** Time of the segment that ends with this leaf. */
  readonly timeOf: (lastLeaf: number) => string | null;
  /** Null: nobody said which authorities are trusted. */
  readonly judge: TimeStampJudge | null;
  readonly findings: Findings;
}

export async function judgeTimeStamps(stamped: readonly StampedCheckpoint[], judging: Judging): Promise<TimeReport> {
  const { judge, findings } = judging;
  let report = NO_TIME;
  for (const one of stamped) {
    if (!isOfThisLog(one, judging)) continue;
    if (judge === null) {
      findings.add('verify/time-unjudged', { key: one.evidence.key }, 'authorities to trust', 'none given');
      continue;
    }
    const atMs = await timeOf(one, judge, judging);
    if (atMs === null) continue;
    const { size } = one.checkpoint;
    const isNewest = size >= report.size;
    report = {
      stamps: report.stamps + 1,
      size: isNewest ? size : report.size,
      at: isNewest ? toSeconds(atMs) : report.at,
    };
  }
  return report;
}

async function timeOf(
  { evidence: { key }, stamp, checkpoint }: StampedCheckpoint,
  judge: TimeStampJudge,
  { timeOf: segmentTime, findings }: Judging,
): Promise<number | null> {
  const verdict = await judge(stamp);
  if (!verdict.ok) {
    findings.add(CODES[verdict.check], { key }, verdict.expected, verdict.got);
    return null;
  }
  if (!verdict.revocationChecked)
    findings.add('verify/time-no-revocation', { key }, 'a revocation list of that time', 'none');
  const written = segmentTime(checkpoint.size - 1);
  // A stamp from before the log says it was written: one of the two clocks was wrong, or set.
  if (written !== null && verdict.atMs < fromSeconds(written) - MOST_SKEW_MS) {
    findings.add(
      'verify/time-before',
      { leaf: checkpoint.size - 1, key },
      `not before ${written}`,
      toSeconds(verdict.atMs),
    );
  }
  return verdict.atMs;
}

function isOfThisLog(
  { evidence: { key }, checkpoint }: StampedCheckpoint,
  { tree, hasEnd, findings }: Judging,
): boolean {
  const { size, root } = checkpoint;
  if (size > tree.size) {
    if (hasEnd) findings.add('verify/time-rollback', { key }, `at least ${size} leaves`, `${tree.size}`);
    return false;
  }
  const found = tree.rootAt(size);
  if (found === root.toString('hex')) return true;
  if (found !== null)
    findings.add('verify/time-fork', { leaf: size, key }, `root ${root.toString('hex')} at ${size}`, found);
  return false;
}
