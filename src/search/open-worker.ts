// SPDX-License-Identifier: AGPL-3.0-or-later
import { parentPort, workerData } from 'node:worker_threads';
import { Opener, type RecipientKey } from '../seal/open.ts';
import { openAll, type OpenTask } from './open-task.ts';

/** Whose key opens, and which it had before; they never leave this process. */
export interface OpenWorkerData extends RecipientKey {
  readonly earlier: readonly RecipientKey[];
}

const { key, kid, earlier } = workerData as OpenWorkerData;
const opener = new Opener(key, kid, earlier);
let last: Promise<void> = Promise.resolve();

// One after the other: answers go back in the order of the tasks, and an epoch's keys are gone through once.
parentPort?.on('message', (task: OpenTask) => {
  last = last.then(async () => parentPort?.postMessage(await openAll(opener, task)));
});
