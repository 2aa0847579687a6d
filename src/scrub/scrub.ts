// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Trust } from '../record/trust.ts';
import { Findings, type Finding } from '../verify/findings.ts';
import { judgeLock } from '../verify/lock.ts';
import type { NamedObject } from '../verify/payloads.ts';
import type { Report } from '../verify/report.ts';
import { ReaderTrouble, stateOf, streamed, type ArchiveReader } from '../verify/reader.ts';
import { verifyArchive } from '../verify/verify.ts';
import { PacedReader, type Pace } from './pace.ts';
import type { PlannedObject, RoundFile, RoundFinding, RoundState } from './round-file.ts';

export interface ScrubParts {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  readonly round: RoundFile;
  readonly pace: Pace;
  /** Time as the log writes it. */
  readonly now: () => string;
  /** Told once of each, when it is on the disk. */
  readonly onFinding: (finding: RoundFinding) => void;
  /** The log as this round read it through. */
  readonly onLog: (report: Report) => void;
  readonly onProgress: (state: RoundState) => void;
  /**
   * All was read. Called before the round counts as ended: what is to stay of it MUST be on the disk when this returns. A process that is
   * killed behind it ends the round once more.
   */
  readonly onEnd: (state: RoundState) => void;
}

/** Objects are marked as read in batches, small enough to be read again. */
const MARK_OBJECTS = 200;
const MARK_BYTES = 256 * 1024 * 1024;
const PLAN_AT_ONCE = 5000;

/**
 * Brings the round under way to its end, or begins one. First the log itself: every segment, signature and listing, as `verify` checks
 * them, which also says what is to be read. Then each pack and object it names: its lock, and every byte. True if all was read.
 */
export async function scrub(parts: ScrubParts): Promise<boolean> {
  const { round, now } = parts;
  round.forgetUnread();
  if (!round.isPlanned && !(await readLog(parts))) return false;
  if (!(await readObjects(parts))) return false;
  const at = now();
  parts.onEnd({ ...round.state, finishedAt: at });
  round.finish(at);
  return true;
}

/** Takes down what was found, and tells of it once. */
function teller({ round, onFinding }: ScrubParts): (finding: Finding) => void {
  return ({ code, severity, where, expected, got }) => {
    if (severity === 'note') return;
    const place = where.key ?? (where.leaf === undefined ? 'the log' : `leaf ${where.leaf}`);
    const key = where.log === undefined ? place : `${place}, log ${where.log}`;
    const finding = { code, severity, key, expected, got };
    if (round.found(finding)) onFinding(finding);
  };
}

/** False if the log could not be read through: the round begins anew then. */
async function readLog(parts: ScrubParts): Promise<boolean> {
  const { reader, trust, round, pace } = parts;
  const planned: NamedObject[] = [];
  const flush = (): void => round.plan(planned.splice(0));
  const report = await verifyArchive(new PacedReader(reader, pace), trust, {
    payloads: false,
    workers: 0,
    onFinding: teller(parts),
    onNamed: (named) => {
      planned.push(named);
      if (planned.length >= PLAN_AT_ONCE) flush();
    },
  });
  flush();
  if (report.size === 0 || report.unchecked.some(({ code }) => NOT_READ.has(code))) return false;
  round.planned(report.size);
  parts.onLog(report);
  return true;
}

/** What says that the log was not read through. Other things that cannot be judged here, such as locks in a copy, stay unchecked. */
const NOT_READ: ReadonlySet<string> = new Set([
  'verify/reader-failed',
  'verify/worker-failed',
  'verify/log-absent',
  'verify/origin-malformed',
]);

async function readObjects(parts: ScrubParts): Promise<boolean> {
  const { round, onProgress } = parts;
  const paced = new PacedReader(parts.reader, parts.pace);
  const findings = new Findings(teller(parts));
  const done: PlannedObject[] = [];
  let [bytes, after, isWhole] = [0, -1, true];
  const mark = (): void => {
    round.read(done.splice(0));
    bytes = 0;
    onProgress(round.state);
  };
  for (let objects = round.next(after); objects.length > 0; objects = round.next(after)) {
    for (const object of objects) {
      after = object.n;
      if (await readOne(paced, object, findings)) {
        done.push(object);
        bytes += object.size;
      } else isWhole = false;
      if (done.length >= MARK_OBJECTS || bytes >= MARK_BYTES) mark();
    }
  }
  mark();
  return isWhole;
}

/** False if the store did not give it: nothing is known then, and the next start tries again. */
async function readOne(reader: ArchiveReader, object: PlannedObject, findings: Findings): Promise<boolean> {
  const { key, kind, version, hash, size, leaf, lock } = object;
  const where = { leaf, key };
  try {
    const state = await stateOf(reader, key, version);
    if (state === null) {
      findings.add(`verify/${kind}-missing`, where, 'a stored object', 'none');
      return true;
    }
    if (lock !== null) judgeLock(state.lock, lock, where, findings);
    const read = createHash('sha256');
    let length = 0;
    for await (const chunk of streamed(reader, key, version)) {
      read.update(chunk);
      length += chunk.length;
    }
    const found = read.digest('hex');
    if (length !== size) findings.add(`verify/${kind}-size`, where, `${size} bytes`, `${length}`);
    else if (found !== hash) findings.add(`verify/${kind}-hash`, where, hash, found);
    return true;
  } catch (error) {
    if (!(error instanceof ReaderTrouble)) throw error;
    findings.add('verify/reader-failed', { key }, 'what was listed', error.got);
    return false;
  }
}
