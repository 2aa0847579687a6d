// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { Opener } from '../seal/open.ts';
import { openAll, type OpenTask } from './open-task.ts';

/** Whose key opens; it never leaves this process. */
export interface OpenWorkerData {
  readonly key: KeyObject;
  readonly kid: string;
}

const { key, kid } = workerData as OpenWorkerData;
const opener = new Opener(key, kid);
let last: Promise<void> = Promise.resolve();

// One after the other: answers go back in the order of the tasks, and an epoch's keys are gone through once.
parentPort?.on('message', (task: OpenTask) => {
  last = last.then(async () => parentPort?.postMessage(await openAll(opener, task)));
});
