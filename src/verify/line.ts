// SPDX-License-Identifier: Apache-2.0
import type { RetentionEntry } from '../record/entry-types.ts';
import type { LogEnd, LinkCause, Predecessor } from '../record/link.ts';
import type { KeyId } from '../record/key.ts';
import type { Trust } from '../record/trust.ts';
import type { Claim } from './claims.ts';
import type { Findings, FoundCode } from './findings.ts';
import type { Inventory } from './inventory.ts';
import type { LinkBook } from './links.ts';
import type { LogCheck } from './log-check.ts';
import type { Report } from './report.ts';
import type { VerifyOptions } from './verify.ts';

// Logs that follow one another: each is checked by itself, and where they meet.

/** What the later log says of an earlier one, while that is verified. */
export interface LaterLog {
  readonly origin: string;
  readonly predecessor: Predecessor;
  /** Until when an account must have shown signs of life, and for which times gaps say why it did not. Null where it was not read whole. */
  readonly takenOver: ((acct: string) => TakenOver) | null;
  /** With which schedules it begins: none may be shorter or weaker than that of the log before. */
  readonly schedules: readonly RetentionEntry[];
  /** What its records say of streams of earlier logs. */
  readonly claims: readonly Claim[];
  /** Objects of all logs of a store, and which of them were named so far; null where the later log lies in another store. */
  readonly media: Inventory | null;
  /** True where the later logs were not read whole: objects that nothing names may be theirs. */
  readonly isPartial: boolean;
}

export interface TakenOver {
  readonly untilMs: number;
  readonly covered: readonly (readonly [number, number])[];
}

/** When a log took an account over from the one before: with its first stream, or not to this day. */
function takenOverIn({ streams, coverage, at }: LogCheck): (acct: string) => TakenOver {
  const opened = new Map<string, number>();
  for (const info of streams.all()) {
    const known = opened.get(info.acct) ?? Infinity;
    if (info.isOpened) opened.set(info.acct, Math.min(known, Date.parse(info.openAt)));
  }
  return (acct) => ({ untilMs: opened.get(acct) ?? Date.parse(at), covered: coverage.coveredOf(acct) });
}

/** A log that was read, as the one before it is held against it. */
export function asLater(
  check: LogCheck,
  { predecessor, media, later }: Pick<LaterLog, 'predecessor' | 'media'> & { readonly later: LaterLog | null },
): LaterLog {
  const origin = predecessor.link.to.name;
  const isPartial = check.streams.hasUnread || later?.isPartial === true;
  const claims = check.claims.foreign().map((claim) => ({ ...claim, where: { log: origin, ...claim.where } }));
  const takenOver = isPartial ? null : takenOverIn(check);
  return { origin, predecessor, media, isPartial, claims, takenOver, schedules: check.rules.begun() };
}

/** What is asked of the log before: the policy counts only if it names that log, and findings are told with those of the log asked about. */
export function optionsBefore(options: VerifyOptions, { log }: Trust, seen: string | undefined): VerifyOptions {
  const { policy, since: _since, seen: _seen, onFinding: _onFinding, ...others } = options;
  const isAsked = policy?.logs.some(({ hash }) => hash.equals(log.hash)) === true;
  return { ...others, ...(isAsked ? { policy } : {}), ...(seen === undefined ? {} : { seen }) };
}

/** The log before, as the report tells of it. */
export interface BeforeReport {
  readonly origin: string;
  /** Its log key. */
  readonly key: KeyId;
  readonly cause: LinkCause;
  readonly size: number;
  readonly root: string;
  /** Null where it was not read. */
  readonly report: Report | null;
}

export function reportBefore({ link, end }: Predecessor, report: Report | null): BeforeReport {
  return { origin: link.from.name, key: link.from.key.id, cause: link.cause, ...end, report };
}

export function reportLine(links: LinkBook | undefined, before: BeforeReport | null): Report['line'] {
  return { number: links?.number ?? 0, before, after: links?.successor?.link.to.name ?? null };
}

/** A verifier of the log before believes what the root says of it in the link. */
export function trustBefore({ root }: Trust, { link }: Predecessor): Trust {
  return { origin: link.from.name, root, log: link.from };
}

/** The earlier log, once it was read, against what the later one says of its end. */
export function judgeLine(later: LaterLog, check: LogCheck, hasEnd: boolean, findings: Findings): void {
  const { predecessor, origin } = later;
  const { link, end, document } = predecessor;
  judgeEnd(end, check, hasEnd, findings);
  for (const schedule of later.schedules) check.rules.applyRetention(schedule, end.size);
  const isNumbered = link.n === check.links.number + 1;
  const isAnnounced = link.cause !== 'exchanged' || check.links.successor?.document === document;
  // Of a log that was not read to its end it is not known how it ends.
  if (isNumbered && (isAnnounced || !hasEnd)) return;
  findings.add(
    'verify/predecessor-end',
    { leaf: end.size },
    `an end that names ${origin} as log ${link.n}`,
    'another, or none',
  );
}

function judgeEnd({ size, root }: LogEnd, { tree }: LogCheck, hasEnd: boolean, findings: Findings): void {
  const where = { leaf: size };
  if (size > tree.size) {
    if (hasEnd) findings.add('verify/predecessor-end', where, `${size} leaves`, `${tree.size}`);
    return;
  }
  const found = tree.rootAt(size);
  if (found !== null && found !== root) findings.add('verify/predecessor-end', where, `root ${root} at ${size}`, found);
  if (tree.size > size)
    findings.add('verify/log-continued', where, 'nothing behind the end', `${tree.size - size} leaves`);
}

/** Findings of an earlier log, told apart from those of the later one. */
export function ofLog(origin: string, found: readonly FoundCode[]): FoundCode[] {
  return found.map((one) => ({
    ...one,
    first: one.first.map((finding) => ({ ...finding, where: { log: origin, ...finding.where } })),
  }));
}
