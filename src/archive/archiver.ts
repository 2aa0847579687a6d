// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, isFailure } from '../base/failure.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import type { NoteKey } from '../record/note.ts';
import type { Downlink } from '../queue/link.ts';
import { parseJob, type ParsedJob } from '../queue/job.ts';
import { encodeReply, type Reply } from '../queue/reply.ts';
import type { ParsedBatch } from './admission.ts';
import { LogCommitter, type Committed, type CommitKeys, type OwnEntry } from './committer.ts';
import { missingRules } from './genesis.ts';
import type { LogState } from './log-state.ts';
import { ReadBack } from './read-back.ts';
import { MOST_LEAVES_BACK, Receipts } from './receipts.ts';
import { recover, windowFrom } from './recover.ts';
import { GRANT_LIMITS, Requests, type GrantLimits } from './requests.ts';
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
  readonly schedules: readonly Schedule[];
  readonly rhythm: FlushRhythm;
  readonly headsEveryMs: number;
  readonly readBackAfterMs: number;
  readonly grantLimits?: GrantLimits;
  readonly clock: () => number;
  readonly events: ArchiverEvents;
  /** Called once, when an outcome is unknown: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

/** What the archiver tells operators: counts and codes. */
export interface ArchiverEvents {
  recovered(size: number, segments: number): void;
  committed(committed: Committed, size: number): void;
  refused(code: string): void;
  unscheduledClass(count: number): void;
  readBack(leaves: number): void;
  trouble(what: 'job' | 'reply' | 'read-back', code: string): void;
}

/** Orders, packs, locks, signs and answers. One per log; a second one stands by, because creating a segment admits one winner. */
export class Archiver implements AsyncDisposable {
  readonly #o: ArchiverOptions;
  readonly state: LogState;
  readonly #receipts: Receipts;
  readonly #requests: Requests;
  readonly #sequencer: Sequencer;
  readonly #readBack: ReadBack;
  readonly #connectors = new Set<KeyId>();
  /** Batches of one stream are judged one after the other. */
  readonly #lanes = new Map<Hex128, Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #reading: Promise<void> = Promise.resolve();

  private constructor(options: ArchiverOptions, state: LogState, readBack: ReadBack) {
    const { store, origin, keys, clock } = options;
    const schedules = new Schedules(options.schedules);
    this.#o = options;
    this.state = state;
    this.#readBack = readBack;
    this.#receipts = new Receipts(state);
    this.#requests = new Requests({ store, state, schedules, limits: options.grantLimits ?? GRANT_LIMITS, clock });
    const committer = new LogCommitter({ store, origin, keys, schedules, state });
    this.#sequencer = new Sequencer({
      store,
      origin,
      state,
      committer,
      schedules,
      rhythm: options.rhythm,
      ownEntries: () => this.#dueEntries(committer),
      onCommitted: (committed, streams) => this.#onCommitted(committed, streams),
      onUnscheduledClass: (count) => options.events.unscheduledClass(count),
      onFatal: options.onFatal,
    });
    this.#timer = setInterval(
      () => this.#runReadBack(),
      Math.min(READ_BACK_TICK_MS, Math.max(options.readBackAfterMs, 100)),
    );
    this.#timer.unref();
  }

  /** Recovers the log, publishes its checkpoint again, logs what the config changed, and starts taking jobs. */
  static async start(options: ArchiverOptions): Promise<Archiver> {
    const { store, origin, root, logKey, keys, clock } = options;
    const { state, segments, packs } = await recover({ store, origin, root, logKey });
    options.events.recovered(state.size, segments);
    const readBack = new ReadBack(store, origin, options.readBackAfterMs, state.window.base);
    for (const { hash, end } of packs) readBack.add(hash, end, clock());
    const archiver = new Archiver(options, state, readBack);
    if (state.size > 0) {
      await new LogCommitter({ store, origin, keys, schedules: new Schedules(options.schedules), state }).publish();
    }
    const { entries, documents } = missingRules(state, store.abilities, options, await store.serverTimeMs());
    if (entries.length > 0) await archiver.#sequencer.flush(entries, documents);
    await options.downlink.consume((job) => archiver.#take(job));
    return archiver;
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

  async #takeBatch(batch: ParsedBatch): Promise<void> {
    const { statement, since, again } = batch;
    const admission = await this.#sequencer.submit(batch);
    switch (admission.outcome) {
      case 'take':
        this.#hear(statement.key, since, again);
        return undefined;
      case 'known':
        this.#hear(statement.key, since, again);
        return this.#repeatReceipt(statement.key, statement.stream);
      case 'want':
        return this.#reply(statement.key, { kind: 'want', stream: statement.stream, seq: admission.seq });
      case 'refuse':
        this.#o.events.refused(admission.code);
        if (admission.code === 'archive/unknown-signer' || admission.code === 'archive/other-log') return undefined;
        return this.#reply(statement.key, {
          kind: 'refused',
          stream: statement.stream,
          first: statement.first,
          code: admission.code,
        });
    }
  }

  #hear(connector: KeyId, since: number, again: boolean): void {
    this.#connectors.add(connector);
    this.#receipts.hear(connector, since, again);
  }

  /** For records archived before: their receipt was lost, or is on its way. */
  async #repeatReceipt(connector: KeyId, stream: Hex128): Promise<void> {
    if (this.#sequencer.isWaiting(stream)) return;
    const state = this.state.stream(stream);
    if (state === undefined) return;
    // A record newer than this memory can be proven, and through its chain all before it; an older one is asked for more.
    if (!this.#receipts.canProve(state)) return this.#reply(connector, { kind: 'want', stream, seq: state.seq + 1 });
    await this.#sendReceipts(connector, [stream]);
  }

  async #onCommitted(committed: Committed, streams: ReadonlySet<Hex128>): Promise<void> {
    this.#o.events.committed(committed, this.state.size);
    for (const { hash } of committed.packs) this.#readBack.add(hash, this.state.size, this.#o.clock());
    const byConnector = Map.groupBy(streams, (stream) => this.state.stream(stream)?.key ?? '');
    for (const [connector, own] of byConnector) await this.#sendReceipts(connector, own);
  }

  async #sendReceipts(connector: KeyId, streams: Iterable<Hex128>): Promise<void> {
    const since = this.#receipts.sinceOf(connector);
    if (since > this.state.size) {
      // The connector holds our signature over a longer log than this one.
      this.#o.events.refused('archive/behind-receipt');
      return;
    }
    if (since > 0 && since < this.state.window.base) await this.#widen(since);
    if (since > 0 && since < this.state.window.base) return;
    for (const receipt of this.#receipts.make(connector, streams))
      await this.#reply(connector, { kind: 'receipt', receipt });
  }

  async #widen(since: number): Promise<void> {
    if (this.state.size - since > MOST_LEAVES_BACK) return this.#o.events.refused('archive/receipt-too-old');
    const window = await windowFrom(this.#o, since, this.state.size);
    if (window === null) this.#o.events.refused('archive/receipt-too-old');
    else this.state.widenWindow(window);
  }

  /** Replies may be lost: whoever needs one asks again. */
  async #reply(to: KeyId, reply: Reply): Promise<void> {
    try {
      await this.#o.downlink.reply(to, encodeReply(to, reply, this.#o.keys.archiver));
    } catch (error) {
      this.#o.events.trouble('reply', codeOf(error));
    }
  }

  async #dueEntries(committer: LogCommitter): Promise<readonly OwnEntry[]> {
    const { state } = this;
    const last = state.lastHeads === null ? 0 : Date.parse(state.lastHeads.at);
    const serverMs = await this.#o.store.serverTimeMs();
    if (state.streams().length === 0 || serverMs - last < this.#o.headsEveryMs) return [];
    const entry = await committer.createHeads();
    state.lastHeads = { leaves: state.size, at: new Date(serverMs).toISOString() };
    return [entry];
  }

  #runReadBack(): void {
    this.#reading = this.#reading.then(async () => {
      try {
        if (!(await this.#readBack.run(this.#o.clock()))) return;
        this.#o.events.readBack(this.#readBack.leaves);
        for (const connector of this.#connectors)
          await this.#reply(connector, { kind: 'readback', leaves: this.#readBack.leaves });
      } catch (error) {
        if (isFailure(error, 'fatal')) this.#o.onFatal(error);
        else this.#o.events.trouble('read-back', codeOf(error));
      }
    });
  }

  /** Writes what waits now. */
  flush(): Promise<void> {
    return this.#sequencer.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#sequencer.close();
    await this.#reading;
  }
}

const READ_BACK_TICK_MS = 60_000;

export { FLUSH_RHYTHM } from './sequencer.ts';
