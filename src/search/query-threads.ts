// SPDX-License-Identifier: AGPL-3.0-or-later
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Failure } from '../base/failure.ts';
import type { IndexDb } from './index-db.ts';
import type { ActsDb } from './acts-db.ts';
import type { ActsQuestion, Answered, Asked, Question, QueryWorkerData } from './query-worker.ts';

export interface QueryThreadsOptions {
  readonly directory: string;
  readonly threads: number;
  /** Questions that may wait; one more is refused (`search/busy`). */
  readonly mostWaiting: number;
}

type Answer<Q extends Question> = Awaited<ReturnType<IndexDb[Q]>>;

interface Waiting {
  readonly asked: Asked;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | null;
}

interface Thread {
  readonly worker: Worker;
  readonly wanted: Int32Array;
  current: Waiting | null;
}

/**
 * Asks an index in threads, each with a connection of its own: a long search holds up neither others nor the process. What nobody
 * waits for any more is given up: before it begins, or, for searches and counts, on the way.
 */
export class QueryThreads implements AsyncDisposable {
  readonly #options: QueryThreadsOptions;
  readonly #threads: Thread[] = [];
  #queue: Waiting[] = [];
  #count = 0;
  #closed = false;

  constructor(options: QueryThreadsOptions) {
    this.#options = options;
  }

  /** As {@link IndexDb} answers. Rejects with `search/given-up` once `signal` aborts, `search/busy`, `search/thread-lost`. */
  ask<Q extends Question>(question: Q, args: Parameters<IndexDb[Q]>, signal: AbortSignal | null): Promise<Answer<Q>> {
    return this.#ask(question, args, signal) as Promise<Answer<Q>>;
  }

  /** As {@link ActsDb} answers. */
  askActs<Q extends ActsQuestion>(
    question: Q,
    args: Parameters<ActsDb[Q]>,
    signal: AbortSignal | null,
  ): Promise<ReturnType<ActsDb[Q]>> {
    return this.#ask(`acts.${question}`, args, signal) as Promise<ReturnType<ActsDb[Q]>>;
  }

  #ask(question: Asked['question'], args: readonly unknown[], signal: AbortSignal | null): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed || signal?.aborted === true) return reject(givenUp());
      if (this.#queue.length >= this.#options.mostWaiting) return reject(busy(this.#queue.length));
      this.#count = (this.#count + 1) % 0x7fff_ffff;
      const asked: Asked = { n: this.#count + 1, question, args };
      const waiting: Waiting = { asked, resolve, reject, signal };
      signal?.addEventListener('abort', () => this.#giveUp(waiting), { once: true });
      this.#queue.push(waiting);
      this.#next();
    });
  }

  #next(): void {
    while (this.#queue.length > 0) {
      const thread = this.#threads.find(({ current }) => current === null) ?? this.#start();
      if (thread === null) return;
      const waiting = this.#queue.shift() as Waiting;
      thread.current = waiting;
      Atomics.store(thread.wanted, 0, waiting.asked.n);
      thread.worker.postMessage(waiting.asked);
    }
  }

  #start(): Thread | null {
    if (this.#threads.length >= this.#options.threads) return null;
    const wanted = new SharedArrayBuffer(4);
    const data: QueryWorkerData = { directory: this.#options.directory, wanted };
    // The worker lies beside this file, as source or compiled.
    const file = new URL(`./query-worker${extname(import.meta.url)}`, import.meta.url);
    const thread: Thread = {
      worker: new Worker(file, { workerData: data }),
      wanted: new Int32Array(wanted),
      current: null,
    };
    thread.worker.on('message', (answered: Answered) => this.#answered(thread, answered));
    thread.worker.on('error', (cause) => this.#lost(thread, cause));
    thread.worker.on('exit', () => this.#lost(thread, null));
    this.#threads.push(thread);
    return thread;
  }

  #answered(thread: Thread, answered: Answered): void {
    const waiting = thread.current;
    thread.current = null;
    if (waiting?.asked.n === answered.n) {
      if ('answer' in answered) waiting.resolve(answered.answer);
      else if ('failed' in answered) waiting.reject(new Failure(answered.failed.code, answered.failed.detail));
      else waiting.reject(lost(answered.threw));
    }
    this.#next();
  }

  /** A thread that ended takes its question with it; the next question starts another one. */
  #lost(thread: Thread, cause: unknown): void {
    const at = this.#threads.indexOf(thread);
    if (at < 0) return;
    this.#threads.splice(at, 1);
    thread.current?.reject(this.#closed ? givenUp() : lost('a thread that ended', cause));
    if (!this.#closed) this.#next();
  }

  #giveUp(waiting: Waiting): void {
    this.#queue = this.#queue.filter((one) => one !== waiting);
    const thread = this.#threads.find(({ current }) => current === waiting);
    if (thread !== undefined) Atomics.store(thread.wanted, 0, 0);
    // The thread is free when it says so; whoever asked is not kept waiting for that.
    waiting.reject(givenUp());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#queue.splice(0)) reject(givenUp());
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

function givenUp(): Failure {
  return new Failure('search/given-up', { expected: 'somebody who waits for the answer', got: 'nobody' });
}

function busy(waiting: number): Failure {
  return new Failure('search/busy', {
    expected: 'a place among the questions that wait',
    got: `${waiting} before this one`,
    fix: 'ask again in a few seconds',
  });
}

function lost(got: string, cause?: unknown): Failure {
  return new Failure('search/thread-lost', {
    expected: 'an answer of the index',
    got,
    fix: 'ask again; if it stays so, there is too little memory, or the index is damaged: `holdfast read --rebuild`',
    cause,
  });
}
