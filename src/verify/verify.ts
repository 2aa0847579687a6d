// SPDX-License-Identifier: Apache-2.0
import type { Checkpoint } from '../record/checkpoint.ts';
import { logPrefix } from '../record/layout.ts';
import { isOrigin } from '../record/origin.ts';
import type { Predecessor } from '../record/link.ts';
import type { Trust } from '../record/trust.ts';
import { Attestations, type AttestationOptions } from './attestations.ts';
import {
  judgePublished,
  judgeSince,
  judgeUnpublished,
  openNote,
  readPublished,
  type Published,
} from './checkpoints.ts';
import { Findings, type Finding } from './findings.ts';
import { Jobs } from './jobs.ts';
import {
  asLater,
  judgeLine,
  ofLog,
  optionsBefore,
  reportBefore,
  reportLine,
  trustBefore,
  type BeforeReport,
  type LaterLog,
} from './line.ts';
import { PREDECESSOR_LEAF } from './links.ts';
import { LogCheck } from './log-check.ts';
import { PayloadCheck, type NamedObject } from './payloads.ts';
import { startPool, WorkerTrouble } from './pool.ts';
import { Progress, type ProgressReport } from './progress.ts';
import { listed, ReaderTrouble, type ArchiveReader } from './reader.ts';
import { judgeRivals } from './rivals.ts';
import { describeStore, judge, reportManifest, type Report } from './report.ts';
import { judgeStoreSeen } from './store-seen.ts';
import { chooseStart } from './start.ts';
import { shown, surveyStore, type Stored } from './survey.ts';
import { listTiles, TileCheck, type StoredTiles } from './tiles.ts';
import { LogTree } from './tree.ts';
import { NO_TIME } from './time-stamps.ts';
import { NO_WITNESSES } from './witnesses.ts';
import { rereadForClaims, walkSegments, type WalkParts } from './walk.ts';

export interface VerifyOptions extends AttestationOptions {
  /** False: packs and objects by listing alone, no bytes of them. Default true. */
  readonly payloads?: boolean;
  /** A signed checkpoint that the caller got earlier: the log must have grown from it, and is read from there. */
  readonly since?: string;
  /** Where the logs before this one are; the same place if left out. */
  readonly predecessors?: ArchiveReader;
  /** True: the logs before this one are not looked at. */
  readonly alone?: boolean;
  /** True: a copy that shows neither locks nor versions is good enough for exit code 0. */
  readonly integrityOnly?: boolean;
  /** Threads; 0 does everything in this one. Default: one per core, none for a small archive. */
  readonly workers?: number;
  readonly onProgress?: (report: ProgressReport) => void;
  /** Hears of each finding, note and doubt at once, before the report. */
  readonly onFinding?: (finding: Finding) => void;
  /** Packs and objects are neither read nor their locks looked at: the caller takes that over, at a pace of its own. */
  readonly onNamed?: (named: NamedObject) => void;
  readonly clockMs?: () => number;
  /** Ids of newest records to remember; what is older takes a second reading. */
  readonly windowIds?: number;
}

/**
 * Checks an archive with public keys alone. Never throws for what the archive holds: everything wrong is in the report, and what
 * could not be judged is never "verified". Contents of records stay sealed; whether they say what was sent is not checked here.
 */
export async function verifyArchive(reader: ArchiveReader, trust: Trust, options: VerifyOptions = {}): Promise<Report> {
  return verifyLine(new Run(reader, trust, options, null));
}

/** A log, and those before it: findings of all are in the one report. */
async function verifyLine(run: Run): Promise<Report> {
  await verifyLog(run);
  const earlier = run.earlier();
  if (earlier !== null) run.takeBefore(await verifyLine(earlier));
  return run.report();
}

async function verifyLog(run: Run): Promise<void> {
  const { reader, trust, options } = run;
  await run.attempt(async () => {
    const since = run.openSince();
    const published = await readPublished(reader, trust.log, run.findings);
    const tiles = await listTiles(reader, trust, run.findings);
    const attestations = await Attestations.read({ reader, trust, options, findings: run.findings });
    const stored = await surveyStore(reader, trust.origin, run.findings, run.later?.media);
    if (!(await run.canRead(stored, since))) return;
    await using work = run.begin(stored, tiles, [
      published.checkpoint,
      since,
      tiles.checkpoint,
      ...attestations.checkpoints,
    ]);
    const start = await chooseStart(work, work.check, since);
    work.tiles.beginAt(start);
    for (const claim of run.later?.claims ?? []) work.check.claims.make(claim);
    const hasEnd = await walkSegments(work, work.check, start);
    await rereadForClaims(work, work.check);
    await run.judgeEnd(work, { start, hasEnd, published, since });
    await run.judgeAttestations(work, attestations, hasEnd);
  });
}

const MOST_JOBS = 12;
const MOST_JOB_BYTES = 16 * 1024 * 1024;

/** All parts of one verification that is under way. */
interface Work extends WalkParts, AsyncDisposable {
  readonly check: LogCheck;
  readonly payloads: PayloadCheck;
  readonly tiles: TileCheck;
  readonly jobs: Jobs;
}

/** What the walk was given and how it ended. */
interface Reading {
  readonly start: number;
  readonly hasEnd: boolean;
  readonly published: Published;
  readonly since: Checkpoint | null;
}

/** One verification from beginning to report. */
class Run {
  readonly reader: ArchiveReader;
  readonly trust: Trust;
  readonly options: VerifyOptions;
  /** The log that follows, where one does and was read. */
  readonly later: LaterLog | null;
  readonly #progress: Progress;
  readonly findings: Findings;
  /** A checkpoint that the caller kept of a log before this one. */
  readonly #seenBefore: string | undefined;
  #before: BeforeReport | null = null;
  #work: Work | null = null;
  #start = 0;
  #attestations: Attestations | null = null;

  constructor(reader: ArchiveReader, trust: Trust, options: VerifyOptions, later: LaterLog | null) {
    const { seen, ...others } = options;
    const isLater = trust.before !== undefined || later !== null;
    const isBefore = seen !== undefined && isLater && !seen.startsWith(`${trust.origin}\n`);
    this.reader = reader;
    this.trust = trust;
    this.options = isBefore ? others : options;
    this.#seenBefore = isBefore ? seen : undefined;
    this.later = later;
    this.findings = new Findings(options.onFinding);
    this.#progress = new Progress(
      options.onProgress ?? (() => undefined),
      options.clockMs ?? (() => performance.now()),
    );
  }

  /** Runs the steps. A store that fails, or a lost thread, ends them: what was found until then stays found. */
  async attempt(steps: () => Promise<void>): Promise<void> {
    const { origin }: { readonly origin: string } = this.trust;
    if (!isOrigin(origin)) {
      this.findings.add('verify/origin-malformed', {}, 'an origin', 'other characters');
      return;
    }
    try {
      await steps();
    } catch (error) {
      if (error instanceof ReaderTrouble) {
        this.findings.add('verify/reader-failed', { key: error.key }, 'what was listed', error.got);
      } else if (error instanceof WorkerTrouble) {
        this.findings.add('verify/worker-failed', {}, 'an answer', 'none');
      } else throw error;
    }
  }

  openSince(): Checkpoint | null {
    const { since } = this.options;
    if (since === undefined) return null;
    return openNote(since, this.trust.log, { code: 'verify/since-malformed' }, this.findings);
  }

  /** The log before this one, still to be verified; null where there is none, or it is not looked at. */
  earlier(): Run | null {
    const check = this.#work?.check;
    const predecessor = check?.links.predecessor ?? null;
    const isEarlier = this.later === null || (predecessor?.link.n ?? 0) < this.later.predecessor.link.n;
    if (check === undefined || predecessor === null || this.#start > 0 || !isEarlier) {
      this.#judgeUnused();
      return null;
    }
    this.#before = reportBefore(predecessor, null);
    const where = { leaf: PREDECESSOR_LEAF };
    const { cause, from } = predecessor.link;
    if (cause !== 'exchanged')
      this.findings.add('verify/predecessor-abandoned', where, 'an end that the log key signed', `one ${cause}`);
    if (this.options.alone !== true) return this.#runBefore(check, predecessor);
    this.findings.add('verify/predecessor-unread', where, from.name, 'nothing of it');
    this.#judgeUnused();
    return null;
  }

  /** A checkpoint that the caller kept must be of one of the logs that were read. */
  #judgeUnused(): void {
    if (this.#seenBefore === undefined) return;
    const expected = `a checkpoint of ${this.trust.origin}`;
    this.findings.add('verify/since-malformed', {}, expected, 'one of another log');
  }

  #runBefore(check: LogCheck, predecessor: Predecessor): Run {
    const { predecessors: reader = this.reader } = this.options;
    const trust = trustBefore(this.trust, predecessor);
    const media = reader === this.reader ? (this.#work?.stored.media ?? null) : null;
    const options = optionsBefore({ ...this.options, predecessors: reader }, trust, this.#seenBefore);
    return new Run(reader, trust, options, asLater(check, { predecessor, media, later: this.later }));
  }

  /** Takes over what was found in the logs before. */
  takeBefore(report: Report): void {
    const predecessor = this.#work?.check.links.predecessor ?? null;
    if (predecessor === null) return;
    this.#before = reportBefore(predecessor, report);
    const { findings, unchecked, notes } = report;
    this.findings.addAll(ofLog(report.origin, [...findings, ...unchecked, ...notes]));
  }

  /** False where there is no log, or where the caller's own checkpoint is none: what was asked cannot be answered then. */
  async canRead({ segments }: Stored, since: Checkpoint | null): Promise<boolean> {
    if (this.options.since !== undefined && since === null) return false;
    if (segments.count > 0) return true;
    const expected = `segments under ${logPrefix(this.trust.origin)}`;
    if (this.later !== null) {
      this.findings.add('verify/predecessor-absent', {}, expected, 'none');
      return false;
    }
    for await (const { key } of listed(this.reader, 'log/')) {
      this.findings.add('verify/log-absent', {}, expected, shown(key));
      return false;
    }
    this.findings.add('verify/log-absent', {}, expected, 'nothing');
    return false;
  }

  begin(stored: Stored, storedTiles: StoredTiles, checkpoints: readonly (Checkpoint | null)[]): Work {
    const { payloads: withBytes = true, windowIds } = this.options;
    const [reader, trust, findings, progress] = [this.reader, this.trust, this.findings, this.#progress];
    const payloadBytes = withBytes ? stored.packs.bytes + stored.media.bytes : 0;
    const totalBytes = stored.segments.bytes + payloadBytes;
    progress.step('reading', totalBytes);
    const pool = startPool(totalBytes, this.options.workers);
    const jobs = new Jobs(findings, MOST_JOBS, MOST_JOB_BYTES);
    const parted = { origin: trust.origin, withBytes, onNamed: this.options.onNamed };
    const payloads = new PayloadCheck({ reader, stored, findings, pool, jobs, progress, ...parted });
    const ends = this.later === null ? [] : [this.later.predecessor.end];
    const tree = new LogTree([...checkpoints, ...ends].flatMap((checkpoint) => checkpoint?.size ?? []));
    const tiles = new TileCheck({ reader, trust, findings, pool, jobs, withBytes }, storedTiles);
    const check = new LogCheck({ reader, trust, stored, findings, pool, payloads, tree, tiles, windowIds });
    const parts: WalkParts = { reader, trust, stored, findings, pool, progress, tree };
    this.#work = { ...parts, check, payloads, tiles, jobs, [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]() };
    return this.#work;
  }

  /** What can be judged only once the whole log was read. */
  async judgeEnd(work: Work, { start, hasEnd, published, since }: Reading): Promise<void> {
    const { check, payloads, tiles, jobs, tree } = work;
    this.#start = start;
    await tiles.finish(tree, hasEnd);
    await jobs.settle();
    const isPartial = start > 0 || check.streams.hasUnread;
    const { origin } = this.trust;
    const { checkpoint, isMissing } = published;
    if (checkpoint !== null) judgePublished(checkpoint, { tree, hasEnd }, origin, this.findings);
    if (since !== null) judgeSince(since, { tree, hasEnd }, this.findings);
    check.links.finish(!isPartial);
    if (this.later !== null) judgeLine(this.later, check, hasEnd, this.findings);
    const isFollowed = check.links.predecessor !== null;
    check.claims.finish((process) => check.beats.beatsOf(process), isFollowed);
    check.beats.finish(check.at, this.later?.takenOver ?? null);
    check.coverage.finish(isPartial || isFollowed);
    check.escrow.finish(check.at);
    const isLast = !isFollowed && (this.later !== null || check.links.successor === null);
    payloads.finish(check.officers, isPartial || this.later?.isPartial === true, isLast);
    if (isMissing) judgeUnpublished(isPartial ? 0 : work.stored.packs.unasked(), origin, this.findings);
    const { keys } = check;
    await judgeRivals(work.stored.rivals, { reader: this.reader, keys, origin, findings: this.findings });
    judgeStoreSeen(check, this.reader, this.findings);
  }

  async judgeAttestations({ check }: Work, attestations: Attestations, hasEnd: boolean): Promise<void> {
    this.#attestations = attestations;
    await attestations.judge(check, hasEnd);
  }

  report(): Report {
    const { payloads = true, integrityOnly = false } = this.options;
    const work = this.#work;
    const check = work?.check;
    const { locks, versions } = this.reader.abilities;
    const unchecked = this.findings.list('unchecked');
    const store = check?.rules.store ?? null;
    const coverage = check?.coverage.accounts() ?? [];
    return {
      ...judge({ findings: this.findings.count('finding'), unchecked, integrityOnly }),
      origin: this.trust.origin,
      from: this.#start,
      size: work?.tree.size ?? 0,
      root: work?.tree.root() ?? '',
      at: check?.at ?? '',
      store: describeStore(store?.kind ?? null, locks && store?.locks === true, versions),
      witnesses: this.#attestations?.witnesses ?? NO_WITNESSES,
      time: this.#attestations?.time ?? NO_TIME,
      line: reportLine(check?.links, this.#before),
      tiles: { size: work?.tiles.size ?? 0, compared: work?.tiles.count ?? 0 },
      evaluation: check?.keys.isEvaluation ?? false,
      payloads,
      counts: {
        segments: check?.segments ?? 0,
        entries: check?.counts ?? {},
        records: coverage.reduce((sum, { records }) => sum + records, 0),
        streams: check?.streams.count ?? 0,
        accounts: coverage.length,
        payloads: work?.payloads.objects ?? 0,
        payloadBytes: work?.payloads.bytes ?? 0,
        segmentBytes: work?.stored.segments.bytes ?? 0,
      },
      coverage,
      manifests: check?.keys.manifests.map(reportManifest) ?? [],
      ceremonies: check?.escrow.ceremonies ?? [],
      scrubs: check?.scrubs.rounds ?? [],
      findings: this.findings.list('finding'),
      unchecked,
      notes: this.findings.list('note'),
    };
  }
}
