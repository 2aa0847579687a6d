// SPDX-License-Identifier: Apache-2.0
import { parentPort } from 'node:worker_threads';
import { TaskRunner, transferable, type Task } from './tasks.ts';

/** What the pool sends: keys to learn, or one task at a time. */
export type ToWorker = { readonly learn: readonly Uint8Array[] } | { readonly task: Task };

const runner = new TaskRunner();
parentPort?.on('message', (message: ToWorker) => {
  if ('learn' in message) {
    runner.learn(message.learn);
    return;
  }
  const answer = runner.run(message.task);
  parentPort?.postMessage(answer, transferable(answer));
});
