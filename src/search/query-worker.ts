// SPDX-License-Identifier: AGPL-3.0-or-later
import { parentPort, workerData } from 'node:worker_threads';
import { Failure, type FailureCode, type FailureDetail } from '../base/failure.ts';
import { SqliteIndex } from './sqlite-index.ts';

/** Questions that a thread may be asked: what only reads. */
export type Question =
  | 'state'
  | 'search'
  | 'count'
  | 'facets'
  | 'conversations'
  | 'conversationsCalled'
  | 'conversation'
  | 'lines'
  | 'line'
  | 'file'
  | 'people'
  | 'gaps';

/** Questions about what readers did and decided. */
export type ActsQuestion =
  | 'accessLog'
  | 'matters'
  | 'mattersCalled'
  | 'hasLine'
  | 'directory'
  | 'kept'
  | 'holds'
  | 'families'
  | 'leafOfConversation';

export interface QueryWorkerData {
  readonly directory: string;
  /** One number: the question that is still wanted. Any other one is given up. */
  readonly wanted: SharedArrayBuffer;
}

export interface Asked {
  readonly n: number;
  readonly question: Question | `acts.${ActsQuestion}`;
  readonly args: readonly unknown[];
}

export type Answered =
  | { readonly n: number; readonly answer: unknown }
  | { readonly n: number; readonly failed: { readonly code: FailureCode; readonly detail: FailureDetail } }
  | { readonly n: number; readonly threw: string };

type Ask = (...given: readonly unknown[]) => unknown;

const { directory, wanted } = workerData as QueryWorkerData;
const current = new Int32Array(wanted);
let asked = 0;
let db: SqliteIndex | null = null;

async function answerTo({ n, question, args }: Asked): Promise<Answered> {
  asked = n;
  try {
    // Opened with the first question, and again after one that failed: an index that is built anew is another file.
    db ??= SqliteIndex.openForReading(directory, () => Atomics.load(current, 0) === asked);
    const acts = /^acts\.(.+)$/.exec(question)?.[1] as ActsQuestion | undefined;
    const ask = (acts === undefined ? db[question as Question].bind(db) : db.acts[acts].bind(db.acts)) as Ask;
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
