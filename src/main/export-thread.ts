// SPDX-License-Identifier: AGPL-3.0-or-later
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Deed } from '../access/act.ts';
import type { Config } from '../base/config.ts';
import { codeOf, Failure } from '../base/failure.ts';
import type { ExportRequest, ExportRun, ExportTold } from '../export/desk/export-run.ts';
import type { Estimate, ExportProgress } from '../export/export.ts';
import type { S3Settings } from './stores.ts';
import type { KeyFiles } from './reader-keys.ts';
import { plainFailure, type PlainFailure } from './plain-failure.ts';

/** Where a thread finds what it exports. */
export interface ExportPlace {
  readonly index: string;
  readonly archive: string;
  readonly s3: S3Settings | null;
  /** The trust file. */
  readonly trust: string;
  readonly keys: KeyFiles;
  /** Authorities that stamp each export, once it is whole. */
  readonly timeStamps: Config['timeStamps'];
}

export interface ExportWorkerData extends ExportPlace {
  readonly request: ExportRequest;
  readonly out: string;
}

/** What a thread says. To `record` it awaits an {@link ExportReply}. */
export type ExportWord =
  | { readonly said: 'estimate'; readonly estimate: Estimate }
  | { readonly said: 'progress'; readonly progress: ExportProgress }
  | { readonly said: 'record'; readonly deeds: readonly Deed[] }
  | { readonly said: 'done' }
  | { readonly said: 'failed'; readonly failed: PlainFailure }
  | { readonly said: 'threw'; readonly name: string };
export type ExportReply = { readonly recorded: true } | { readonly recorded: false; readonly failed: PlainFailure };

/** Runs each export in a thread of its own, with its own state of the index. The record of it is written by this process. */
export function exportThread(place: ExportPlace): ExportRun {
  return async (request, out, told, signal) => {
    signal.throwIfAborted();
    const data: ExportWorkerData = { ...place, request, out };
    // The worker lies beside this file, as source or compiled.
    const worker = new Worker(new URL(`./export-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: data,
    });
    try {
      await ended(worker, told, signal);
    } finally {
      await worker.terminate();
    }
  };
}

function ended(worker: Worker, told: ExportTold, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    worker.on('error', (cause) => reject(lost(codeOf(cause), cause)));
    worker.on('exit', () => reject(lost('a thread that ended')));
    worker.on('message', (word: ExportWord) => {
      switch (word.said) {
        case 'estimate':
          return told.onEstimate(word.estimate);
        case 'progress':
          return told.onProgress(word.progress);
        case 'record':
          return void recorded(told, word.deeds).then((reply) => worker.postMessage(reply));
        case 'done':
          return resolve();
        case 'failed':
          return reject(new Failure(word.failed.code, word.failed.detail));
        case 'threw':
          return reject(lost(word.name));
      }
    });
  });
}

async function recorded({ record }: ExportTold, deeds: readonly Deed[]): Promise<ExportReply> {
  try {
    await record(deeds);
    return { recorded: true };
  } catch (error) {
    const failure = error instanceof Failure ? error : lost(codeOf(error), error);
    return { recorded: false, failed: plainFailure(failure) };
  }
}

function lost(got: string, cause?: unknown): Failure {
  return new Failure('export/thread-lost', {
    expected: 'a thread that writes the export to its end',
    got,
    fix: 'give the reader more memory, or export less at a time',
    cause,
  });
}
