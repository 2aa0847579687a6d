// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, isFailure } from '../base/failure.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import type { NoteKey } from '../record/note.ts';
import type { Downlink } from '../queue/link.ts';
import { parseJob, type ApprovedJob, type ParsedJob, type ReceivedBatch } from '../queue/job.ts';
import { encodeReply, type Reply } from '../queue/reply.ts';
import { judgeApproved } from './approvals.ts';
import { LogCommitter, type Committed, type CommitKeys, type OwnEntry } from './committer.ts';
import { ended } from './end.ts';
import { missingRules } from './genesis.ts';
import { GRANT_LIMITS, GrantQuota, type GrantLimits } from './grant-quota.ts';
import type { LogState } from './log-state.ts';
import { PastTree } from './past-tree.ts';
import type { Pending } from './pending.ts';
import { ReadBack } from './read-back.ts';
import { Receipts } from './receipts.ts';
import { recover, type Recovered } from './recover.ts';
import { Requests } from './requests.ts';
import { Rounds, type Round, type SignedLog } from './rounds.ts';
import { RetentionKeeper, type RetentionProgress } from './retention.ts';
import { Schedules, type Schedule } from './schedule.ts';
import { Sequencer, type FlushRhythm } from './sequencer.ts';
import type { ArchiveStore } from './store.ts';

export interface ArchiverOptions {
  readonly store: ArchiveStore;
  readonly downlink: Downlink;
  readonly origin: string;
  readonly root: SigningKey;
  readonly logKey: NoteKey;
  readonly keys: CommitKeys;
  /** The signed manifest from the config; logged when it is newer than the log's. */
  readonly manifest: string;
  /** The log that this one goes on from, by the trust file, and the document that names it in this log's beginning. */
  readonly before?: NoteKey;
  readonly predecessor?: string;
  readonly schedules: readonly Schedule[];
  /** The operator has confirmed locks that nobody can take back; asked for when the log does not have the schedule yet. */
  readonly confirmedRetention: boolean;
  readonly rhythm: FlushRhythm;
  readonly headsEveryMs: number;
  readonly readBackAfterMs: number;
  readonly grantLimits?: GrantLimits;
  /** Leaves that the window of the tree holds at most: 64 bytes each. */
  readonly windowLeaves?: number;
  /** Pause between requests while locks of earlier records are lengthened. */
  readonly retentionPauseMs?: number;
  /** Work beside the log, which follows it at its own pace: tiles, witnesses, time stamps. */
  readonly rounds?: (log: ArchivedLog) => readonly Round[];
  readonly clock: () => number;
  readonly events: ArchiverEvents;
  /** Called at most once, when an outcome is unknown: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

/** What work beside the log needs of the archiver. */
export interface ArchivedLog {
  readonly store: ArchiveStore;
  readonly origin: string;
  readonly state: LogState;
  readonly past: PastTree;
  readonly schedules: Schedules;
}

/** What the archiver tells operators: counts and codes. */
export interface ArchiverEvents {
  recovered(size: number, segments: number): void;
  committed(committed: Committed, size: number): void;
  refused(code: string): void;
  unscheduledClass(count: number): void;
  readBack(leaves: number): void;
  /** Locks of earlier records are being lengthened to a schedule that was. */
  retention?(progress: RetentionProgress): void;
  /** Somebody must act: a witness is away for long, or knows another log. `count`: hours, or leaves. */
  alarm?(reason: 'witness-away' | 'witness-conflict', count: number): void;
  trouble(what: 'job' | 'reply' | 'receipt' | 'read-back' | 'retention' | Round['name'], code: string): void;
}

/** Orders, packs, locks, signs and answers. One per log; a second one stands by, because creating a segment admits one winner. */
export class Archiver implements AsyncDisposable {
  readonly #o: ArchiverOptions;
  readonly state: LogState;
  readonly #committer: LogCommitter;
  readonly #receipts: Receipts;
  readonly #requests: Requests;
  readonly #quota: GrantQuota;
  readonly #sequencer: Sequencer;
  readonly #readBack: ReadBack;
  readonly #retention: RetentionKeeper;
  readonly #rounds: Rounds;
  /** Batches of one stream are judged one after the other. */
  readonly #lanes = new Map<Hex128, Promise<void>>();
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #reading: Promise<void> = Promise.resolve();
  #keeping: Promise<void> = Promise.resolve();
  #approving: Promise<void> = Promise.resolve();
  #isStarted = false;
  #hasEnded = false;

  private constructor(options: ArchiverOptions, { state, from, segments }: Recovered) {
    const { store, origin, keys, clock, rhythm, events } = options;
    const schedules = new Schedules([...state.schedules(), ...options.schedules]);
    this.#o = options;
    this.state = state;
    this.#readBack = new ReadBack(store, origin, options.readBackAfterMs, from);
    for (const segment of segments) this.#readBack.add(segment);
    const past = new PastTree({ store, origin }, state);
    this.#receipts = new Receipts({
      state,
      past,
      readBackLeaves: () => this.#readBack.leaves,
      reply: (to, reply) => this.#reply(to, reply),
      trouble: (code) => events.trouble('receipt', code),
    });
    this.#quota = new GrantQuota(options.grantLimits ?? GRANT_LIMITS);
    this.#requests = new Requests({ store, state, schedules, quota: this.#quota, clock });
    this.#committer = new LogCommitter({ store, origin, keys, schedules, state });
    this.#retention = new RetentionKeeper({
      place: { store, origin },
      state,
      pauseMs: options.retentionPauseMs ?? RETENTION_PAUSE_MS,
      onProgress: (progress) => events.retention?.(progress),
    });
    this.#rounds = new Rounds({
      rounds: options.rounds?.({ store, origin, state, past, schedules }) ?? [],
      signed: () => this.#signedLog(),
      trouble: (name, code) => events.trouble(name, code),
    });
    this.#sequencer = new Sequencer({
      store,
      origin,
      state,
      committer: this.#committer,
      schedules,
      rhythm,
      ownEntries: () => this.#dueEntries(),
      onCommitted: (committed, written) => this.#onCommitted(committed, written),
      onUnscheduledClass: (count) => events.unscheduledClass(count),
      onFatal: (error) => this.#onFatal(error),
    });
  }

  /** Recovers the log, publishes its checkpoint again, logs what the config changed, and starts taking jobs. */
  static async start(options: ArchiverOptions): Promise<Archiver> {
    const { store, origin, root, logKey, windowLeaves } = options;
    const recovered = await recover({
      store,
      origin,
      root,
      logKey,
      ...(windowLeaves === undefined ? {} : { windowLeaves }),
    });
    options.events.recovered(recovered.state.size, recovered.segments.length);
    const archiver = new Archiver(options, recovered);
    await archiver.#begin(recovered.published);
    return archiver;
  }

  async #begin(published: number): Promise<void> {
    const { store, downlink, origin, readBackAfterMs } = this.#o;
    if (this.state.size > 0) this.#committer.sign();
    // A standby must not take back what the active one has published meanwhile.
    if (this.state.size > published) await this.#committer.publish();
    if (this.state.successor !== null) throw ended(origin);
    const { entries, documents } = missingRules(this.state, store.abilities, this.#o);
    if (entries.length > 0) await this.#sequencer.flush(entries, documents);
    this.#isStarted = true;
    await downlink.consume((job) => this.#take(job));
    const tickMs = Math.min(READ_BACK_TICK_MS, Math.max(readBackAfterMs, 100));
    this.#timer = setInterval(() => void this.readBack(), tickMs).unref();
    this.#keeping = this.#keepRetention();
    this.#rounds.start();
  }

  #signedLog(): SignedLog | null {
    return this.state.checkpoint === '' ? null : { ...this.state.signed(), root: this.state.window.root() };
  }

  /** While starting, the caller of `start` is told by its rejection. */
  #onFatal(error: unknown): void {
    if (this.#hasEnded || !this.#isStarted) return;
    this.#hasEnded = true;
    this.#o.onFatal(error);
  }

  /** Takes one job. Never rejects for what a job says: only for what may succeed later. */
  async #take(text: string): Promise<void> {
    let job: ParsedJob;
    try {
      job = parseJob(text);
    } catch (error) {
      this.#o.events.refused(error instanceof FormatError ? error.code : codeOf(error));
      return;
    }
    if (job.kind === 'approved') return this.#takeApproved(job);
    if (job.kind === 'batch') return this.#inLane(job.statement.stream, () => this.#takeBatch(job));
    const reply = await this.#requests.answer(job);
    if (reply === null) this.#o.events.refused('archive/unknown-signer');
    else await this.#reply(job.connector, reply);
  }

  #inLane(stream: Hex128, work: () => Promise<void>): Promise<void> {
    const before = this.#lanes.get(stream) ?? Promise.resolve();
    const done = before.then(work);
    const quiet = done
      .catch(() => undefined)
      .finally(() => {
        if (this.#lanes.get(stream) === quiet) this.#lanes.delete(stream);
      });
    this.#lanes.set(stream, quiet);
    return done;
  }

  /** Logged at once; whoever brought it sees it in the log, and brings it again until then. One at a time, so that none is logged twice. */
  #takeApproved(job: ApprovedJob): Promise<void> {
    const done = this.#approving.then(async () => {
      const { origin, clock, events } = this.#o;
      const judged = judgeApproved(job, { state: this.state, origin, clock });
      if (judged.outcome === 'refuse') events.refused(judged.code);
      if (judged.outcome === 'take') await this.#sequencer.flush([judged.entry], judged.documents);
    });
    this.#approving = done.catch(() => undefined);
    return done;
  }

  async #takeBatch(batch: ReceivedBatch): Promise<void> {
    const { statement, since, again } = batch;
    const { stream, key, first } = statement;
    const admission = await this.#sequencer.submit(batch);
    switch (admission.outcome) {
      case 'take':
        return this.#receipts.hear(key, since, false);
      case 'known':
        this.#receipts.hear(key, since, again);
        // For records archived before: their receipt was lost. What waits for a segment gets its receipt with it.
        if (!this.#sequencer.isWaiting(stream)) this.#receipts.due(key, [stream]);
        return undefined;
      case 'want':
        return void (await this.#reply(key, { kind: 'want', stream, seq: admission.seq }));
      case 'refuse':
        this.#o.events.refused(admission.code);
        if (admission.isSigned) await this.#reply(key, { kind: 'refused', stream, first, code: admission.code });
        return undefined;
    }
  }

  #onCommitted(committed: Committed, { tips, objects }: Pending): void {
    const { size } = this.state;
    this.#o.events.committed(committed, size);
    const { first, packs, atMs } = committed;
    this.#readBack.add({ first, size, hashes: packs.map(({ hash }) => hash), atMs });
    for (const { stream, hash } of objects) this.#quota.logged(tips.get(stream)?.key ?? '', stream, hash);
    const byConnector = Map.groupBy(tips.keys(), (stream) => tips.get(stream)?.key ?? '');
    for (const [connector, streams] of byConnector) this.#receipts.due(connector, streams);
  }

  /** Replies may be lost: whoever needs one asks again. */
  async #reply(to: KeyId, reply: Reply): Promise<boolean> {
    try {
      await this.#o.downlink.reply(to, encodeReply(to, reply, this.#o.keys.archiver));
      return true;
    } catch (error) {
      this.#o.events.trouble('reply', codeOf(error));
      return false;
    }
  }

  /**
   * Heads, when they are due and all packs before the last heads have been read back: so a start that begins at the last but one
   * knows that everything before it was.
   */
  async #dueEntries(): Promise<readonly OwnEntry[]> {
    const { lastHeads, hasStreams } = this.state;
    if (!hasStreams || this.#readBack.leaves < (lastHeads?.leaves ?? 0)) return [];
    const last = lastHeads === null ? 0 : Date.parse(lastHeads.at);
    if ((await this.#o.store.serverTimeMs()) - last < this.#o.headsEveryMs) return [];
    const entry = await this.#committer.createHeads();
    if (entry === null) this.#o.events.trouble('job', 'store/fork');
    return entry === null ? [] : [entry];
  }

  /** Reads back what is due now. Never rejects: what is wrong with a pack ends the process. */
  readBack(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      try {
        if (!(await this.#readBack.run(this.#o.clock(), this.#closing.signal))) return;
        this.#o.events.readBack(this.#readBack.leaves);
        this.#receipts.tellReadBack();
      } catch (error) {
        if (isFailure(error, 'fatal')) this.#onFatal(error);
        else this.#o.events.trouble('read-back', codeOf(error));
      }
    });
    return this.#reading;
  }

  async #keepRetention(): Promise<void> {
    try {
      await this.#retention.run(this.#closing.signal);
    } catch (error) {
      if (isFailure(error, 'fatal') && error.code === 'store/lock-ignored') this.#onFatal(error);
      else this.#o.events.trouble('retention', codeOf(error));
    }
  }

  /** Writes what waits now, and waits until its receipts are sent. */
  async flush(): Promise<void> {
    await this.#sequencer.flush();
    await this.#receipts.settled();
  }

  /** Does now what follows the log at its own pace. */
  async runRounds(): Promise<void> {
    await this.#rounds.runAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#closing.abort();
    await this.#sequencer.close();
    await Promise.all([this.#reading, this.#keeping, this.#rounds[Symbol.asyncDispose]()]);
    await Promise.race([this.#receipts.settled(), sleep(CLOSE_MS, undefined, { ref: false })]);
  }
}

const READ_BACK_TICK_MS = 60_000;
const RETENTION_PAUSE_MS = 20;
/** For receipts that are under way; those that do not get there are asked for again. */
const CLOSE_MS = 2000;

export { FLUSH_RHYTHM } from './sequencer.ts';
