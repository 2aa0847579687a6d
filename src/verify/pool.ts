// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ToWorker } from './segment-worker.ts';
import { TaskRunner, type Answers, type Task } from './tasks.ts';

/** Where tasks are done. */
export interface TaskPool extends AsyncDisposable {
  /** Keys that may sign batches; tasks given from now on know them. */
  learn(keys: readonly Uint8Array[]): void;
  /** Rejects with {@link WorkerTrouble} if the thread ended. The task's bytes MUST NOT be used afterwards. */
  run<T extends Task>(task: T): Promise<Answers[T['kind']]>;
}

/** A thread ended before it answered: out of memory, most likely. */
export class WorkerTrouble extends Error {
  override readonly name = 'WorkerTrouble';
}

/** Does everything at once in this thread: for small archives, where starting threads would take longer than the work. */
export class InlinePool implements TaskPool {
  readonly #runner = new TaskRunner();

  learn(keys: readonly Uint8Array[]): void {
    this.#runner.learn(keys);
  }

  async run<T extends Task>(task: T): Promise<Answers[T['kind']]> {
    return this.#runner.run(task) as Answers[T['kind']];
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * A thread makes much that lives briefly. Left to itself V8 sets 100 MiB and more aside for that in each thread, and is no faster
 * for it. What lives longer is not limited: a large segment must not end a thread.
 */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

interface Waiting {
  readonly task: Task;
  readonly resolve: (answer: Answers[Task['kind']]) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  waiting: Waiting | null;
}

/** One thread per core, one task per thread; what waits is done in the order it came. */
export class ThreadPool implements TaskPool {
  readonly #threads: Thread[];
  readonly #queue: Waiting[] = [];
  #broken: WorkerTrouble | null = null;

  constructor(size: number) {
    // The worker lies beside this file, as source or compiled.
    const file = new URL(`./segment-worker${extname(import.meta.url)}`, import.meta.url);
    this.#threads = Array.from({ length: size }, () => {
      const thread: Thread = {
        worker: new Worker(file, { resourceLimits: LIMITS }),
        waiting: null,
      };
      thread.worker.on('message', (answer: Answers[Task['kind']]) => this.#onAnswer(thread, answer));
      thread.worker.on('error', (error) => this.#break(error));
      thread.worker.on('exit', () => this.#break(null));
      return thread;
    });
  }

  learn(keys: readonly Uint8Array[]): void {
    const message: ToWorker = { learn: keys };
    for (const { worker } of this.#threads) worker.postMessage(message);
  }

  run<T extends Task>(task: T): Promise<Answers[T['kind']]> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    return new Promise<Answers[T['kind']]>((resolve, reject) => {
      // One thread answers one task at a time, so the answer is of the task's kind.
      this.#queue.push({ task, resolve: (answer) => resolve(answer as Answers[T['kind']]), reject });
      this.#assign();
    });
  }

  #assign(): void {
    for (const thread of this.#threads) {
      if (thread.waiting !== null) continue;
      const next = this.#queue.shift();
      if (next === undefined) return;
      thread.waiting = next;
      const message: ToWorker = { task: next.task };
      thread.worker.postMessage(message, movable(next.task.bytes));
    }
  }

  #onAnswer(thread: Thread, answer: Answers[Task['kind']]): void {
    const { waiting } = thread;
    thread.waiting = null;
    waiting?.resolve(answer);
    this.#assign();
  }

  /** A thread that ended takes the whole pool with it: what it was told is lost. */
  #break(cause: unknown): void {
    this.#broken ??= new WorkerTrouble('a thread ended', { cause });
    const waiting = [...this.#threads.flatMap((thread) => thread.waiting ?? []), ...this.#queue.splice(0)];
    for (const thread of this.#threads) thread.waiting = null;
    for (const { reject } of waiting) reject(this.#broken);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

/** Starting threads takes longer than checking this much. */
const SMALL_BYTES = 16 * 1024 * 1024;

/** For this much to check, unless the caller says how many threads it may take. */
export function startPool(bytes: number, workers: number = bytes < SMALL_BYTES ? 0 : availableParallelism()): TaskPool {
  return workers > 0 ? new ThreadPool(workers) : new InlinePool();
}

/** Memory that belongs to these bytes alone is handed over; a view into something larger is copied. */
function movable({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > 0 ? [buffer] : [];
}
