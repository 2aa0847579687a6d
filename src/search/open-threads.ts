// SPDX-License-Identifier: AGPL-3.0-or-later
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Failure } from '../base/failure.ts';
import type { OpenedText, OpenTask } from './open-task.ts';
import type { OpenWorkerData } from './open-worker.ts';

interface Thread {
  readonly worker: Worker;
  readonly waiting: { resolve: (opened: OpenedText[]) => void; reject: (error: Error) => void }[];
}

/** Threads that open records while the index takes in those before. Started with the first task, because most looks find nothing. */
export class OpenThreads implements AsyncDisposable {
  readonly #data: OpenWorkerData;
  readonly #size: number;
  #threads: Thread[] = [];
  #lost: Failure | null = null;

  constructor(data: OpenWorkerData, size: number) {
    this.#data = data;
    this.#size = size;
  }

  /** Rejects with `search/thread-lost` if a thread ended. */
  open(task: OpenTask): Promise<OpenedText[]> {
    if (this.#threads.length === 0) this.#threads = Array.from({ length: this.#size }, () => this.#start());
    const thread = this.#threads.reduce((least, one) => (one.waiting.length < least.waiting.length ? one : least));
    return new Promise((resolve, reject) => {
      if (this.#lost !== null) return reject(this.#lost);
      thread.waiting.push({ resolve, reject });
      thread.worker.postMessage(task);
    });
  }

  #start(): Thread {
    // The worker lies beside this file, as source or compiled.
    const file = new URL(`./open-worker${extname(import.meta.url)}`, import.meta.url);
    const thread: Thread = {
      worker: new Worker(file, { workerData: this.#data }),
      waiting: [],
    };
    thread.worker.on('message', (opened: OpenedText[]) => thread.waiting.shift()?.resolve(opened));
    thread.worker.on('error', (cause) => this.#lose(cause));
    thread.worker.on('exit', () => this.#lose(null));
    return thread;
  }

  #lose(cause: unknown): void {
    this.#lost ??= new Failure('search/thread-lost', {
      expected: 'the records of a segment',
      got: 'a thread that ended',
      fix: 'start it again; if it stays so, there is too little memory for the archive’s largest segments',
      cause,
    });
    for (const { waiting } of this.#threads) for (const { reject } of waiting.splice(0)) reject(this.#lost);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const threads = this.#threads;
    this.#threads = [];
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }
}
