// SPDX-License-Identifier: AGPL-3.0-or-later

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Faults } from './faults.ts';
import type { Frame } from './frame.ts';
import type { EmulatedMessage } from './history.ts';
import type { SeededRandom } from './random.ts';
import type { Webhook } from './webhook.ts';
import type { WebSocketHub } from './websocket.ts';

/** One line on the connection from the daemon: a message, or the answer to a REST call. */
export type Line =
  | { readonly kind: 'message'; readonly frame: Frame; readonly message: EmulatedMessage; readonly done: () => void }
  | { readonly kind: 'answer'; readonly done: () => void };

export interface ReceiveLoopParts {
  readonly faults: Faults;
  readonly hub: WebSocketHub;
  readonly webhook: Webhook;
  readonly random: SeededRandom;
  /** Lines that the loop gets through, on average, while a consumer writes one frame. */
  readonly linesPerFrame: number;
  /** What fits between the daemon and the loop before the daemon blocks. */
  readonly socketBufferBytes: number;
  /** There is room again: the daemon may go on. */
  readonly onRoom: () => void;
}

/**
 * The single loop that reads the daemon's connection. For each line, in order: fan-out to the sockets, then the webhook,
 * to its end. Nothing else is read meanwhile, so a slow webhook holds up every later message and every REST answer, and
 * gives the socket consumers time; without a webhook a burst goes by while the first of its frames is being written.
 */
export class ReceiveLoop {
  readonly #parts: ReceiveLoopParts;
  #lines: Line[] = [];
  #bufferedBytes = 0;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: ReceiveLoopParts) {
    this.#parts = parts;
  }

  get hasRoom(): boolean {
    return this.#bufferedBytes < this.#parts.socketBufferBytes;
  }

  push(line: Line): void {
    if (this.#stopped) {
      line.done();
      return;
    }
    this.#lines.push(line);
    this.#bufferedBytes += bytesOf(line);
    this.#running ??= this.#run();
  }

  /** Resolves when every line so far has been handled. */
  async whenIdle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** The process ends: what it has not read is lost with the connection. */
  stop(): void {
    this.#stopped = true;
    const unread = this.#lines;
    this.#lines = [];
    this.#bufferedBytes = 0;
    for (const line of unread) if (line.kind === 'message') line.done();
  }

  async #run(): Promise<void> {
    // Lines that arrive together are read together.
    await Promise.resolve();
    let left = this.#linesUntilTurn();
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      this.#bufferedBytes -= bytesOf(line);
      // No await without a webhook: until the next turn the consumers cannot come back to their channels.
      const posting = line.kind === 'message' ? this.#handle(line.frame, line.message) : undefined;
      if (posting !== undefined) await posting;
      line.done();
      this.#parts.onRoom();
      left -= 1;
      if (left <= 0) {
        await nextTurn();
        left = this.#linesUntilTurn();
      }
    }
    this.#running = null;
  }

  #handle(frame: Frame, message: EmulatedMessage): Promise<void> | undefined {
    this.#parts.hub.offer(frame, message);
    if (this.#parts.webhook.url === undefined || this.#parts.faults.takeWebhookSkip()) return undefined;
    return this.#post(frame, message);
  }

  async #post(frame: Frame, message: EmulatedMessage): Promise<void> {
    const accepted = await this.#parts.webhook.post(frame.rpcLine);
    message.webhook[accepted ? 'accepted' : 'failed'] += 1;
  }

  #linesUntilTurn(): number {
    const average = this.#parts.linesPerFrame;
    return average <= 1 ? 1 : this.#parts.random.between(1, 2 * average - 1);
  }
}

function bytesOf(line: Line): number {
  return line.kind === 'message' ? Buffer.byteLength(line.frame.rpcLine) : 0;
}
