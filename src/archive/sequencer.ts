// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure, isFailure, type FailureCode } from '../base/failure.ts';
import type { ReceivedBatch } from '../queue/job.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { mediaKey } from '../record/layout.ts';
import { admit, type Admission, type Judge, type NamedObject, type StreamTip } from './admission.ts';
import type { Committed, LogCommitter, OwnEntry } from './committer.ts';
import type { LogState } from './log-state.ts';
import { Pending } from './pending.ts';
import type { Schedules } from './schedule.ts';
import { confirmUpload } from './store-confirm.ts';
import type { ArchiveStore } from './store.ts';

export interface FlushRhythm {
  readonly maxBytes: number;
  readonly maxDelayMs: number;
}

export const FLUSH_RHYTHM: FlushRhythm = { maxBytes: 4 * 1024 * 1024, maxDelayMs: 5000 };

export interface SequencerOptions {
  readonly store: ArchiveStore;
  readonly origin: string;
  readonly state: LogState;
  readonly committer: LogCommitter;
  readonly schedules: Schedules;
  readonly rhythm: FlushRhythm;
  /** Entries of the log's own that are due, asked for before each flush (daily heads). */
  readonly ownEntries: () => Promise<readonly OwnEntry[]>;
  /** Called for every written segment. MUST NOT throw: what it cannot do now is asked for again. */
  readonly onCommitted: (committed: Committed, written: Pending) => void;
  readonly onUnscheduledClass: (count: number) => void;
  /** Called at most once, when an outcome is unknown: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

/** Waiting bytes, as a multiple of one flush, at which jobs are held back. */
const MOST_WAITING_FLUSHES = 4;

/** What an uploaded object can be that never can be logged. */
const REFUSED_OBJECTS: Partial<Record<FailureCode, FailureCode>> = {
  'store/readback': 'archive/other-object',
  'store/lock-ignored': 'archive/unlocked-object',
};

/**
 * The single writer: admits batches one by one, in each stream's order, and writes what was admitted as one segment.
 * Only one flush runs at a time; what arrives meanwhile waits for the next.
 */
export class Sequencer {
  readonly #o: SequencerOptions;
  readonly #judge: Judge;
  #pending = new Pending();
  /** What the running flush writes: still a tip that later batches must follow. */
  #flushing: Pending | null = null;
  #flush: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #room: (() => void)[] = [];
  #stopped: Failure | null = null;
  #closing = false;

  constructor(options: SequencerOptions) {
    this.#o = options;
    const { origin, state } = options;
    this.#judge = {
      origin,
      state,
      tipOf: (stream) => this.#tipOf(stream),
      newestGenOf: (acct) =>
        this.#pending.gens.get(acct) ?? this.#flushing?.gens.get(acct) ?? state.newestStreamOf(acct)?.gen ?? -1,
    };
  }

  /** Admits a batch. Resolves when it waits for the next segment, or with what it is instead. Holds back while too much waits. */
  async submit(batch: ReceivedBatch): Promise<Admission> {
    // All that wait are woken at once: without objects nothing comes between this check and adding.
    while (this.#isFull()) await new Promise<void>((resolve) => this.#room.push(resolve));
    const first = this.#admit(batch);
    if (first.outcome !== 'take') return first;
    if (first.objects.length > 0) {
      const refusal = await this.#confirmObjects(first.objects);
      if (refusal !== null) return refusal;
    }
    // Confirming objects takes requests; meanwhile another batch may have come, so it is judged again after.
    const admission = first.objects.length > 0 ? this.#admit(batch) : first;
    if (admission.outcome !== 'take') return admission;
    this.#noteUnscheduled(batch);
    this.#pending.add(batch, admission);
    this.#schedule();
    return admission;
  }

  #admit(batch: ReceivedBatch): Admission {
    if (this.#stopped !== null) throw this.#stopped;
    if (this.#closing) throw closing();
    return admit(batch, this.#judge);
  }

  #tipOf(stream: Hex128): StreamTip | undefined {
    return this.#pending.tips.get(stream) ?? this.#flushing?.tips.get(stream) ?? this.#o.state.stream(stream);
  }

  /** True if records of the stream wait for a segment: their receipt will come. */
  isWaiting(stream: Hex128): boolean {
    return this.#pending.tips.has(stream) || this.#flushing?.tips.has(stream) === true;
  }

  /** Null when all objects are there, as named and locked; else the refusal of a batch that names what never can be logged. */
  async #confirmObjects(objects: readonly NamedObject[]): Promise<Admission | null> {
    try {
      for (const object of objects) await this.#confirmObject(object);
      return null;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const code = error.kind === 'refuse' ? error.code : REFUSED_OBJECTS[error.code];
      if (code !== undefined) return { outcome: 'refuse', code, isSigned: true };
      if (error.kind === 'fatal') this.#stop(error);
      throw error;
    }
  }

  async #confirmObject({ h, n, ret }: NamedObject): Promise<void> {
    const lock = this.#o.schedules.lockFor(ret, await this.#o.store.serverTimeMs());
    const key = mediaKey(h);
    if ((await confirmUpload(this.#o.store, { key, sha256: h, size: n }, lock)) !== null) return;
    throw new Failure('archive/object-missing', { expected: 'an uploaded object', got: 'none', where: key });
  }

  #noteUnscheduled({ records }: ReceivedBatch): void {
    const count = records.filter(
      ({ entry }) => 'ret' in entry && entry.ret !== undefined && !this.#o.schedules.has(entry.ret),
    ).length;
    if (count > 0) this.#o.onUnscheduledClass(count);
  }

  #isFull(): boolean {
    const most = MOST_WAITING_FLUSHES * this.#o.rhythm.maxBytes;
    return this.#pending.bytes >= most && this.#stopped === null && !this.#closing;
  }

  #schedule(): void {
    const { maxBytes, maxDelayMs } = this.#o.rhythm;
    if (this.#flush !== null) return;
    if (this.#pending.bytes >= maxBytes) void this.#startFlush([], []);
    else this.#timer ??= setTimeout(() => void this.#startFlush([], []), maxDelayMs);
  }

  #startFlush(own: readonly OwnEntry[], documents: readonly string[]): Promise<void> {
    this.#stopTimer();
    this.#flush = this.#writeSegment(own, documents)
      .catch((error: unknown) => this.#stop(error))
      .finally(() => {
        this.#flush = null;
        this.#makeRoom();
        if (!this.#pending.isEmpty && this.#stopped === null && !this.#closing) this.#schedule();
      });
    return this.#flush;
  }

  async #writeSegment(own: readonly OwnEntry[], documents: readonly string[]): Promise<void> {
    const due = await this.#o.ownEntries();
    const pending = this.#pending;
    if (pending.isEmpty && due.length + own.length === 0) return;
    this.#flushing = pending;
    this.#pending = new Pending();
    this.#makeRoom();
    const committed = await this.#o.committer.commit(pending, [...due, ...own], documents);
    this.#flushing = null;
    this.#o.onCommitted(committed, pending);
  }

  #makeRoom(): void {
    for (const enter of this.#room.splice(0)) enter();
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Any failure to write a segment leaves its outcome unknown: nothing more is admitted, and the process ends. */
  #stop(error: unknown): void {
    if (this.#stopped !== null) return;
    this.#stopped = asFatal(error);
    this.#stopTimer();
    this.#makeRoom();
    this.#o.onFatal(this.#stopped);
  }

  /** Writes what waits, and entries of the log's own, now. Rejects with what stopped the sequencer. */
  async flush(own: readonly OwnEntry[] = [], documents: readonly string[] = []): Promise<void> {
    while (this.#flush !== null) await this.#flush;
    if (this.#stopped !== null) throw this.#stopped;
    await this.#startFlush(own, documents);
    if (this.#stopped !== null) throw this.#stopped;
  }

  /** Takes no more, and writes what waits. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#makeRoom();
    await this.flush().catch(() => undefined);
    this.#stopTimer();
  }
}

/** What may have happened is found out by a start; what the store refuses, and did not do, needs somebody to change something. */
function asFatal(error: unknown): Failure {
  if (isFailure(error, 'fatal')) return error;
  const got = error instanceof FormatError ? error.code : codeOf(error);
  if (!isFailure(error, 'refuse') && !(error instanceof FormatError)) {
    return new Failure('store/unknown-outcome', { expected: 'a written segment', got, cause: error });
  }
  const { where, fix } = error instanceof Failure ? error.detail : {};
  return new Failure('archive/flush-refused', {
    expected: 'a segment that can be written',
    got,
    ...(where === undefined ? {} : { where }),
    ...(fix === undefined ? {} : { fix }),
    cause: error,
  });
}

function closing(): Failure {
  return new Failure('store/unreachable', { expected: 'a running archiver', got: 'one that is closing' });
}
