// SPDX-License-Identifier: AGPL-3.0-or-later

import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from './faults.ts';
import type { Line } from './receive-loop.ts';

/** The daemon's answer is an error; the text goes into the body of the REST answer. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

/** There is no connection to the daemon: the handler of the REST process panics, and the answer is 500 without a body. */
export class NoConnection extends Error {
  override readonly name = 'NoConnection';
}

const latencyStepMs = 2;

/** The state of the daemon's side that a call depends on. */
export interface DaemonLink {
  readonly isConnected: boolean;
  /** Grows by one with each stop of the daemon. */
  readonly generation: number;
  push(line: Line): void;
}

/** Calls of the REST process to the daemon: the answer comes as a line among the messages. */
export class DaemonCalls {
  readonly #faults: Faults;
  readonly #link: DaemonLink;

  constructor(parts: { faults: Faults; link: DaemonLink }) {
    this.#faults = parts.faults;
    this.#link = parts.link;
  }

  /**
   * Runs the command in the daemon. Throws what the command throws, or `NoConnection`. Never settles when the daemon
   * stops before it has answered.
   */
  async call<Answer>(command: () => Answer): Promise<Answer> {
    if (!this.#link.isConnected) throw new NoConnection();
    const { generation } = this.#link;
    const askedMs = performance.now();
    // Looked at again and again, so that a test can set it to infinity and end it when it likes.
    while (performance.now() - askedMs < this.#faults.daemonLatencyMs) await delay(latencyStepMs);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (this.#link.generation !== generation) return promise;
    const settle = settlement(command, resolve, reject);
    if (this.#faults.headOfLineBlocking) this.#link.push({ kind: 'answer', done: settle });
    else settle();
    return promise;
  }
}

/** The command runs now; its outcome is told when the returned function is called. */
function settlement<Answer>(
  command: () => Answer,
  resolve: (answer: Answer) => void,
  reject: (error: unknown) => void,
): () => void {
  try {
    const answer = command();
    return () => resolve(answer);
  } catch (error) {
    return () => reject(error);
  }
}
