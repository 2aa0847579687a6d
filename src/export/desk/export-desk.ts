// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { Actor } from '../../access/act.ts';
import type { Audit } from '../../access/audit.ts';
import { codeOf, Failure } from '../../base/failure.ts';
import type { Estimate, ExportProgress } from '../export.ts';
import { selectionText } from '../selection.ts';
import type { ExportRequest, ExportRun } from './export-run.ts';
import { ExportShelf, type ExportFacts } from './export-shelf.ts';
import { FinishedExport, type ExportSummary } from './finished-export.ts';

const MOST_WAITING = 8;
const MOST_KEPT = 200;
const MOST_SELECTION_TEXT = 8000;

export type ExportState = 'waiting' | 'running' | 'finished' | 'failed';

export interface ExportJob {
  readonly facts: ExportFacts;
  readonly state: ExportState;
  /** Both null until the export is recorded: until then nothing is told of how much it would be. */
  readonly estimate: Estimate | null;
  readonly progress: ExportProgress | null;
  readonly summary: ExportSummary | null;
  /** Why it failed. */
  readonly failed: string | null;
}

interface Job {
  readonly facts: ExportFacts;
  readonly stop: AbortController;
  state: ExportState;
  estimate: Estimate | null;
  progress: ExportProgress | null;
  summary: ExportSummary | null;
  failed: string | null;
  /** Settles when nothing of it runs any more. */
  running: Promise<void>;
}

interface Waiting {
  readonly job: Job;
  readonly request: ExportRequest;
  readonly by: Pick<Actor, 'user' | 'session' | 'via'>;
}

export interface ExportDeskParts {
  readonly folder: string;
  readonly run: ExportRun;
  readonly audit: Pick<Audit, 'record'>;
  readonly clock: () => number;
  /** Told of what went wrong inside, by its code. */
  readonly onTrouble: (code: string) => void;
}

/**
 * Exports on order: one is written at a time, a few wait, and whole ones lie on the {@link ExportShelf} until somebody deletes them.
 * One that fails or is stopped leaves nothing on the disk. Orders end with the process; whole exports do not.
 */
export class ExportDesk implements AsyncDisposable {
  readonly #parts: ExportDeskParts;
  readonly #shelf: ExportShelf;
  readonly #jobs = new Map<string, Job>();
  #queue: Waiting[] = [];
  /** Orders whose place is not on the disk yet. */
  #arriving = 0;
  #current: Job | null = null;
  #closed = false;

  private constructor(parts: ExportDeskParts, shelf: ExportShelf) {
    this.#parts = parts;
    this.#shelf = shelf;
  }

  /** Throws `export/folder`, `export/in-use`. */
  static async open(parts: ExportDeskParts): Promise<ExportDesk> {
    const shelf = await ExportShelf.open(parts.folder);
    const desk = new ExportDesk(parts, shelf);
    try {
      const { whole, unknown } = await shelf.recover();
      if (unknown > 0) parts.onTrouble('export/damaged');
      for (const facts of whole.toSorted((a, b) => a.atMs - b.atMs)) {
        const job = jobOf(facts);
        desk.#jobs.set(facts.id, job);
        await desk.#finished(job);
      }
      return desk;
    } catch (error) {
      await shelf[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Throws `export/busy`, `export/kept`: too many wait, or are there. */
  assertRoom(): void {
    const waiting = this.#queue.length + this.#arriving;
    if (this.#closed || waiting >= MOST_WAITING) {
      throw new Failure('export/busy', {
        expected: 'a place among the exports that wait',
        got: `${waiting} before this one`,
        fix: 'ask again when one of them is finished',
      });
    }
    if (this.#jobs.size < MOST_KEPT) return;
    throw new Failure('export/kept', {
      expected: `less than ${MOST_KEPT} exports that are kept`,
      got: String(this.#jobs.size),
      fix: 'delete some that nobody needs any more: nothing is deleted by itself',
    });
  }

  /** Puts an export in the queue; resolves to its id once its place is on the disk. Throws `export/busy`, `export/kept`, `export/write`. */
  async order(request: ExportRequest, by: Waiting['by']): Promise<string> {
    this.assertRoom();
    const { formats, zone } = request;
    const selection = selectionText(request.selection).slice(0, MOST_SELECTION_TEXT).toWellFormed();
    const id = randomBytes(16).toString('hex');
    const job = jobOf({
      v: 1,
      id,
      atMs: this.#parts.clock(),
      user: by.user,
      selection,
      formats: [...formats],
      zone,
    });
    this.#jobs.set(id, job);
    this.#arriving += 1;
    try {
      job.running = this.#shelf.begin(job.facts);
      await job.running;
    } catch (error) {
      this.#jobs.delete(id);
      throw error;
    } finally {
      this.#arriving -= 1;
    }
    // Whoever knew of it from the list may have deleted it meanwhile.
    if (!job.stop.signal.aborted) this.#queue.push({ job, request, by });
    this.#next();
    return id;
  }

  /** The newest first. */
  get jobs(): ExportJob[] {
    return [...this.#jobs.values()].toReversed();
  }

  /** Throws `export/not-found`. */
  job(id: string): ExportJob {
    return this.#job(id);
  }

  /** Throws `export/not-found`, `export/not-finished`, `export/damaged`. */
  async finished(id: string): Promise<FinishedExport> {
    const { state } = this.#job(id);
    if (state === 'finished') return await FinishedExport.open(this.#shelf.wholeOf(id));
    throw new Failure('export/not-finished', {
      expected: 'an export that is whole',
      got: `one that is ${state}`,
      fix: 'ask how far it is, and again when it is finished',
    });
  }

  /** Stops it if it waits or runs, and deletes all of it. Throws `export/not-found`. */
  async remove(id: string): Promise<void> {
    const job = this.#job(id);
    this.#jobs.delete(id);
    this.#queue = this.#queue.filter((waiting) => waiting.job !== job);
    job.stop.abort();
    await job.running.catch(() => undefined);
    await this.#shelf.remove(id);
  }

  #job(id: string): Job {
    const job = this.#jobs.get(id);
    if (job !== undefined) return job;
    throw new Failure('export/not-found', { expected: 'the id of an export', got: 'one that none has' });
  }

  #next(): void {
    if (this.#current !== null || this.#closed) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    const { job } = waiting;
    this.#current = job;
    job.running = this.#run(waiting)
      .catch((error: unknown) => this.#failed(job, error))
      .finally(() => {
        this.#current = null;
        this.#next();
      });
  }

  async #run({ job, request, by }: Waiting): Promise<void> {
    job.state = 'running';
    let [estimate, isRecorded]: [Estimate | null, boolean] = [null, false];
    await this.#parts.run(
      request,
      this.#shelf.wholeOf(job.facts.id),
      {
        record: async (deeds) => {
          await this.#parts.audit.record(deeds, by);
          [isRecorded, job.estimate] = [true, estimate];
        },
        onEstimate: (one) => (estimate = one),
        onProgress: (progress) => {
          if (isRecorded) job.progress = progress;
        },
      },
      job.stop.signal,
    );
    await this.#finished(job);
  }

  async #finished(job: Job): Promise<void> {
    try {
      const { summary } = await FinishedExport.open(this.#shelf.wholeOf(job.facts.id));
      Object.assign(job, { summary, state: 'finished', progress: null });
    } catch (error) {
      // It is whole by its name: whoever asked for it decides what becomes of it.
      Object.assign(job, { state: 'failed', failed: codeOf(error) });
      this.#parts.onTrouble(codeOf(error));
    }
  }

  async #failed(job: Job, error: unknown): Promise<void> {
    const code = codeOf(error);
    if (!job.stop.signal.aborted) this.#parts.onTrouble(code);
    // Said only once nothing of it is left.
    await this.#shelf.remove(job.facts.id).catch((cause: unknown) => this.#parts.onTrouble(codeOf(cause)));
    Object.assign(job, { state: 'failed', failed: code, progress: null });
  }

  /** Stops what runs; nothing half stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const open = [...this.#jobs.values()].filter(({ state }) => state === 'waiting' || state === 'running');
    await Promise.all(open.map(async ({ facts }) => this.remove(facts.id).catch(() => undefined)));
    await this.#shelf[Symbol.asyncDispose]();
  }
}

function jobOf(facts: ExportFacts): Job {
  return {
    facts,
    stop: new AbortController(),
    state: 'waiting',
    estimate: null,
    progress: null,
    summary: null,
    failed: null,
    running: Promise.resolve(),
  };
}
