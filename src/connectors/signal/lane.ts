// SPDX-License-Identifier: AGPL-3.0-or-later
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, Failure, isFailure } from '../../base/failure.ts';
import type { AccountSink, Capture, ConnectorEvents, SessionChange } from '../connector.ts';
import { noteCaptured } from '../captured.ts';
import { decodeWork, type Work } from './attachment-work.ts';
import { noteConsequences, type AccountContext, type PendingReference } from './consequences.ts';
import { Draft } from './draft.ts';
import { GapBook } from '../gap-book.ts';
import type { HealthBook } from '../health.ts';
import { normalise, unknownFrame, type Understood } from './normalise.ts';
import type { Alarm, HealthReason, Intake } from './reasons.ts';
import type { StateName } from './state.ts';
import { decodeState, type Linked } from '../state.ts';
import { unlessAborted } from '../waiting.ts';

/** Bytes of one frame as an intake brought them. `unknown`: why nothing can be understood of them. */
export interface RawFrame {
  readonly raw: Uint8Array;
  readonly via: Intake;
  readonly unknown?: string;
}

/** What must become durable together. */
export interface Job {
  readonly frames?: readonly RawFrame[];
  readonly captures?: readonly Capture[];
  readonly session?: readonly SessionChange[];
  /** Decided when its turn comes, so on the state of that moment. May run again if the sink was not ready for it. */
  readonly edit?: (draft: Draft) => void;
}

export interface LaneParts {
  readonly account: string;
  readonly sink: AccountSink;
  readonly clock: () => number;
  readonly events: ConnectorEvents;
  readonly health: HealthBook<HealthReason>;
  readonly horizonMs: number;
  readonly retryMs: number;
  readonly signal: AbortSignal;
  /** The sink's outcome is unknown: the session must end. */
  readonly onFatal: (error: Failure) => void;
  readonly onWork: (lane: AccountLane, work: Work) => void;
  readonly onGroup: (lane: AccountLane, groupId: string, revision: number | null, updated: boolean) => void;
  readonly onPhone: (lane: AccountLane, atMs: number) => void;
}

interface Waiting {
  readonly job: Job;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const MOST_FRAMES = 500;
const MOST_BYTES = 8 * 1024 * 1024;
const LONGEST_PAUSE_MS = 30_000;
/** A full spool shows in health only when it lasts. */
const WAITING_AFTER_MS = 1000;

/**
 * One account's way to its sink. Whatever waits goes into one transaction, and transactions follow one another: each sees the state
 * that the one before left, however many intakes bring the same message at the same time.
 */
export class AccountLane {
  readonly account: string;
  readonly sink: AccountSink;
  readonly gaps: GapBook;
  readonly pending = new Map<string, PendingReference>();
  /** Start of the archive for this account; the start of the run, until it is linked. */
  linkedMs: number;
  readonly #parts: LaneParts;
  readonly #context: AccountContext;
  #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.account = parts.account;
    this.sink = parts.sink;
    this.gaps = new GapBook(parts.sink);
    this.linkedMs = this.read<Linked>('linked')?.atMs ?? parts.clock();
    for (const name of parts.sink.sessionNames('ref/')) {
      const reference = this.read<PendingReference>(name as StateName);
      if (reference !== null) this.pending.set(name.slice('ref/'.length), reference);
    }
    this.#context = this.#newContext();
  }

  /** Work that an earlier run left. */
  storedWork(): Work[] {
    return this.sink.sessionNames('work/').flatMap((name) => decodeWork(this.sink.session(name)) ?? []);
  }

  read<T>(name: StateName): T | null {
    return decodeState<T>(this.sink.session(name));
  }

  alarm(reason: Alarm, count?: number): void {
    this.#parts.events.alarm(this.account, reason, count);
  }

  /** Resolves when all of the job is durable. Rejects if it could not be made so, or the session stops before. */
  submit(job: Job): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Waits until nothing is on its way any more. */
  async settle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    try {
      // Everything that arrives in this turn of the event loop shares the transaction.
      await Promise.resolve();
      while (this.#waiting.length > 0) {
        await this.ready();
        await this.#deliverGroup(this.#takeGroup());
      }
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    } finally {
      // In the same turn as the last look at what waits: a job that comes later starts a new run.
      this.#running = null;
    }
  }

  /** Waits while the spool is full. Rejects if the session stops meanwhile: nothing more is taken then. */
  async ready(): Promise<void> {
    const { sink, signal, health, account } = this.#parts;
    const late = setTimeout(() => health.set(account, 'spool-waiting', true), WAITING_AFTER_MS);
    try {
      await unlessAborted(sink.ready(), signal, stopped);
    } finally {
      clearTimeout(late);
      health.set(account, 'spool-waiting', false);
    }
  }

  #takeGroup(): Waiting[] {
    const group: Waiting[] = [];
    let frames = 0;
    let bytes = 0;
    for (const { job } of this.#waiting) {
      frames += (job.frames?.length ?? 0) + (job.captures?.length ?? 0);
      bytes += sizeOf(job);
      if (group.length > 0 && (frames > MOST_FRAMES || bytes > MOST_BYTES)) break;
      group.push(this.#waiting[group.length] as Waiting);
    }
    this.#waiting.splice(0, group.length);
    return group;
  }

  async #deliverGroup(group: readonly Waiting[]): Promise<void> {
    try {
      await this.#deliver(group.map(({ job }) => job));
      for (const { resolve } of group) resolve();
    } catch (error) {
      if (isFailure(error, 'fatal')) this.#parts.onFatal(error);
      // One job that the spool refuses must not take the others with it.
      if (group.length > 1 && !isEnd(error)) for (const one of group) await this.#deliverGroup([one]);
      else for (const { reject } of group) reject(error);
    }
  }

  async #deliver(jobs: readonly Job[]): Promise<void> {
    for (let pauseMs = this.#parts.retryMs; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await this.#attempt(jobs, normalise);
      } catch (error) {
        if (isFailure(error, 'retry')) {
          this.#parts.events.trouble('deliver', error);
          await sleep(pauseMs, undefined, { signal: this.#parts.signal }).catch(() => Promise.reject(stopped()));
          continue;
        }
        if (isEnd(error) || jobs.length > 1 || (jobs[0]?.frames?.length ?? 0) === 0) throw error;
        this.alarm('refused-by-spool');
        // The bytes count more than what was understood of them.
        return await this.#attempt(jobs, (raw, account) => [unknownFrame(raw, account, `refused: ${codeOf(error)}`)]);
      }
    }
  }

  async #attempt(
    jobs: readonly Job[],
    understand: (raw: Uint8Array, account: string) => readonly Understood[],
  ): Promise<void> {
    const { sink, account, clock } = this.#parts;
    const draft = new Draft(sink, account, clock());
    for (const { frames = [], captures = [], session = [], edit } of jobs) {
      for (const frame of frames) {
        const found =
          frame.unknown === undefined
            ? understand(frame.raw, account)
            : [unknownFrame(frame.raw, account, frame.unknown)];
        for (const one of found) this.#draftOne(draft, frame, one);
      }
      for (const capture of captures) draft.add(capture);
      for (const { name, value } of session) draft.write(name as StateName, value);
      edit?.(draft);
    }
    const captures = draft.captures();
    const delivered = await sink.deliver(captures, draft.session());
    if (draft.touchesGaps) this.gaps.refresh();
    noteCaptured(this.#parts, captures, delivered);
    draft.commit();
  }

  #draftOne(draft: Draft, { raw, via }: RawFrame, found: Understood): void {
    const isNew = draft.content({
      type: 'content',
      native: found.native,
      via,
      atMs: draft.nowMs,
      view: found.view,
      raw,
    });
    noteConsequences(this.#context, draft, found, isNew);
  }

  #newContext(): AccountContext {
    const { account, sink, horizonMs, onWork, onGroup, onPhone } = this.#parts;
    const linkedMs = (): number => this.linkedMs;
    return {
      account,
      sink,
      gaps: this.gaps,
      pending: this.pending,
      get linkedMs() {
        return linkedMs();
      },
      horizonMs,
      onWork: (work) => onWork(this, work),
      onGroup: (groupId, revision, updated) => onGroup(this, groupId, revision, updated),
      onPhone: (atMs) => onPhone(this, atMs),
      alarm: (reason, count) => this.alarm(reason, count),
    };
  }
}

function sizeOf({ frames = [] }: Job): number {
  return frames.reduce((sum, { raw }) => sum + raw.length, 0);
}

/** After these nothing more can be delivered: splitting a group would only repeat them. */
function isEnd(error: unknown): boolean {
  return isFailure(error, 'fatal') || (error instanceof Failure && error.code === 'signal/stopped');
}

export function stopped(): Failure {
  return new Failure('signal/stopped', { expected: 'a session that runs', got: 'one that stops' });
}
