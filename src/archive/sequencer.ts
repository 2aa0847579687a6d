// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from '../base/failure.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { mediaKey } from '../record/layout.ts';
import { admit, type Admission, type ParsedBatch, type StreamTip } from './admission.ts';
import type { Committed, LogCommitter, OwnEntry } from './committer.ts';
import type { LogState } from './log-state.ts';
import { Pending } from './pending.ts';
import type { Schedules } from './schedule.ts';
import { confirmUpload } from './store-confirm.ts';
import type { ArchiveStore, Lock } from './store.ts';

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
  readonly onCommitted: (committed: Committed, streams: ReadonlySet<Hex128>) => Promise<void>;
  readonly onUnscheduledClass: (count: number) => void;
  /** Called once, when an outcome is unknown: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

/** Waiting bytes, as a multiple of one flush, at which jobs are held back. */
const MOST_WAITING_FLUSHES = 4;

/**
 * The single writer: admits batches one by one, in each stream's order, and writes what was admitted as one segment.
 * Only one flush runs at a time; what arrives meanwhile waits for the next.
 */
export class Sequencer {
  readonly #o: SequencerOptions;
  #pending = new Pending();
  /** What the running flush writes: still a tip that later batches must follow. */
  #flushing: Pending | null = null;
  #flush: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #room: (() => void)[] = [];
  #stopped: Failure | null = null;

  constructor(options: SequencerOptions) {
    this.#o = options;
  }

  /** Admits a batch. Resolves when it waits for the next segment, or with what it is instead. Holds back while too much waits. */
  async submit(batch: ParsedBatch): Promise<Admission> {
    await this.#hasRoom();
    const first = this.#judge(batch);
    if (first.outcome !== 'take') return first;
    // Confirming objects takes requests; meanwhile another batch of the stream may have come, so it is judged again after.
    const locks = first.objects.length > 0 ? await this.#confirmObjects(first.objects) : [];
    const admission = first.objects.length > 0 ? this.#judge(batch) : first;
    if (admission.outcome !== 'take') return admission;
    this.#noteUnscheduled(batch);
    this.#pending.add(batch, admission.tip, locks);
    this.#schedule();
    return admission;
  }

  #judge(batch: ParsedBatch): Admission {
    if (this.#stopped !== null) throw this.#stopped;
    return admit(batch, this.#o.origin, this.#o.state, this.#tipOf(batch.statement.stream));
  }

  #tipOf(stream: Hex128): StreamTip | undefined {
    return this.#pending.tips.get(stream) ?? this.#flushing?.tips.get(stream) ?? this.#o.state.stream(stream);
  }

  /** True if records of the stream wait for a segment: their receipt will come. */
  isWaiting(stream: Hex128): boolean {
    return this.#pending.tips.has(stream) || this.#flushing?.tips.has(stream) === true;
  }

  async #confirmObjects(objects: Extract<Admission, { outcome: 'take' }>['objects']): Promise<Lock[]> {
    const serverMs = await this.#o.store.serverTimeMs();
    const locks: Lock[] = [];
    for (const { h, n, ret } of objects) {
      const lock = this.#o.schedules.lockFor(ret, serverMs);
      const state = await confirmUpload(this.#o.store, { key: mediaKey(h), sha256: h, size: n }, lock);
      if (state === null) {
        throw new Failure('archive/object-missing', {
          expected: 'an uploaded object',
          got: 'none',
          where: mediaKey(h),
        });
      }
      locks.push(lock);
    }
    return locks;
  }

  #noteUnscheduled({ entries }: ParsedBatch): void {
    const count = entries.filter(
      (entry) => 'ret' in entry && entry.ret !== undefined && !this.#o.schedules.has(entry.ret),
    ).length;
    if (count > 0) this.#o.onUnscheduledClass(count);
  }

  async #hasRoom(): Promise<void> {
    const most = MOST_WAITING_FLUSHES * this.#o.rhythm.maxBytes;
    while (this.#pending.bytes >= most && this.#stopped === null) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
  }

  #schedule(): void {
    const { maxBytes, maxDelayMs } = this.#o.rhythm;
    if (this.#flush !== null) return;
    if (this.#pending.bytes >= maxBytes) void this.#startFlush([], []);
    else this.#timer ??= setTimeout(() => void this.#startFlush([], []), maxDelayMs);
  }

  #startFlush(own: readonly OwnEntry[], documents: readonly string[]): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#flush = this.#writeSegment(own, documents)
      .catch((error: unknown) => this.#stop(error))
      .finally(() => {
        this.#flush = null;
        for (const enter of this.#room.splice(0)) enter();
        if (!this.#pending.isEmpty && this.#stopped === null) this.#schedule();
      });
    return this.#flush;
  }

  async #writeSegment(own: readonly OwnEntry[], documents: readonly string[]): Promise<void> {
    const due = await this.#o.ownEntries();
    const pending = this.#pending;
    this.#flushing = pending;
    this.#pending = new Pending();
    if (pending.isEmpty && due.length + own.length === 0) return;
    const committed = await this.#o.committer.commit(pending, [...due, ...own], documents);
    this.#flushing = null;
    await this.#o.onCommitted(committed, new Set(pending.tips.keys()));
  }

  /** Any failure to write a segment leaves its outcome unknown: nothing more is admitted, and the process ends. */
  #stop(error: unknown): void {
    this.#stopped ??=
      error instanceof Failure && error.kind === 'fatal'
        ? error
        : new Failure('store/unknown-outcome', { expected: 'a written segment', got: codeOf(error), cause: error });
    this.#o.onFatal(this.#stopped);
  }

  /** Writes what waits, and entries of the log's own, now. Rejects with what stopped the sequencer. */
  async flush(own: readonly OwnEntry[] = [], documents: readonly string[] = []): Promise<void> {
    while (this.#flush !== null) await this.#flush;
    if (this.#stopped !== null) throw this.#stopped;
    await this.#startFlush(own, documents);
    if (this.#stopped !== null) throw this.#stopped;
  }

  /** Writes what waits and takes no more. */
  async close(): Promise<void> {
    if (this.#stopped === null) await this.flush().catch(() => undefined);
    this.#stopped ??= new Failure('store/unreachable', { expected: 'a running archiver', got: 'one that is closing' });
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const enter of this.#room.splice(0)) enter();
  }
}
