// SPDX-License-Identifier: AGPL-3.0-or-later
import { parentPort, workerData } from 'node:worker_threads';
import { Failure, type FailureCode, type FailureDetail } from '../base/failure.ts';
import { SqliteIndex } from './sqlite-index.ts';

/** Questions that a thread may be asked: what only reads. */
export type Question =
  | 'state'
  | 'search'
  | 'count'
  | 'conversations'
  | 'conversationsCalled'
  | 'conversation'
  | 'lines'
  | 'line'
  | 'file'
  | 'people'
  | 'gaps';

export interface QueryWorkerData {
  readonly directory: string;
  /** One number: the question that is still wanted. Any other one is given up. */
  readonly wanted: SharedArrayBuffer;
}

export interface Asked {
  readonly n: number;
  readonly question: Question;
  readonly args: readonly unknown[];
}

export type Answered =
  | { readonly n: number; readonly answer: unknown }
  | { readonly n: number; readonly failed: { readonly code: FailureCode; readonly detail: FailureDetail } }
  | { readonly n: number; readonly threw: string };

const { directory, wanted } = workerData as QueryWorkerData;
const current = new Int32Array(wanted);
let asked = 0;
let db: SqliteIndex | null = null;

async function answerTo({ n, question, args }: Asked): Promise<Answered> {
  asked = n;
  try {
    // Opened with the first question, and again after one that failed: an index that is built anew is another file.
    db ??= SqliteIndex.openForReading(directory, () => Atomics.load(current, 0) === asked);
    const ask = db[question].bind(db) as (...given: readonly unknown[]) => Promise<unknown>;
    return { n, answer: await ask(...args) };
  } catch (error) {
    if (!(error instanceof Failure)) {
      await db?.[Symbol.asyncDispose]();
      db = null;
      return { n, threw: error instanceof Error ? error.name : 'unknown' };
    }
    const { expected, got, where, fix } = error.detail;
    const place = where === undefined ? {} : { where };
    return {
      n,
      failed: { code: error.code, detail: { expected, got, ...place, ...(fix === undefined ? {} : { fix }) } },
    };
  }
}

parentPort?.on('message', (question: Asked) => {
  void answerTo(question).then((answered) => parentPort?.postMessage(answered));
});
