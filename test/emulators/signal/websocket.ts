// SPDX-License-Identifier: AGPL-3.0-or-later

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Faults } from './faults.ts';
import type { Frame } from './frame.ts';
import type { EmulatedMessage } from './history.ts';
import { Mutex } from './mutex.ts';

/** One socket and the goroutine that feeds it. */
interface Consumer {
  readonly socket: WebSocket;
  readonly number: string;
  /** Waiting at its channel. Only then does a non-blocking send reach it. */
  ready: boolean;
  offered: number;
  readonly ping: NodeJS.Timeout;
}

/**
 * The sockets of `/v1/receive/{number}`. A frame is offered to every consumer; one that is not waiting at its channel
 * misses it, for good. All writes, pings too, go through one lock without a time limit, so one peer that stops reading
 * stops the frames of all.
 */
export class WebSocketHub {
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: 512,
  });
  readonly #consumers = new Set<Consumer>();
  readonly #faults: Faults;
  readonly #pingIntervalMs: number;
  #writing = new Mutex();

  constructor(parts: { faults: Faults; pingIntervalMs: number }) {
    this.#faults = parts.faults;
    this.#pingIntervalMs = parts.pingIntervalMs;
  }

  /** Sockets open now, for any number. */
  get size(): number {
    return this.#consumers.size;
  }

  /** Takes over a connection. Any number will do, known or not. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, number: string): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const ping = setInterval(() => void this.#ping(consumer), this.#pingIntervalMs);
      const consumer: Consumer = { socket: webSocket, number, ready: true, offered: 0, ping };
      this.#consumers.add(consumer);
      webSocket.on('error', () => undefined);
      webSocket.on('close', () => this.#forget(consumer));
    });
  }

  /** The fan-out: never waits, never queues. */
  offer(frame: Frame, message: EmulatedMessage): void {
    for (const consumer of this.#consumers) {
      const concerned = consumer.number === frame.account;
      if (concerned && this.#isDropped(consumer)) message.webSocket.missed += 1;
      else if (consumer.ready) void this.#feed(consumer, frame, message);
      else if (concerned) message.webSocket.missed += 1;
    }
  }

  /** Holds the write lock until the returned function is called: nobody gets a frame or a ping meanwhile. */
  stall(): () => void {
    const held = this.#writing.acquire();
    return () => void held.then((release) => release());
  }

  /** The process ends: connections are cut without a close frame. */
  terminateAll(): void {
    for (const consumer of this.#consumers) {
      this.#forget(consumer);
      consumer.socket.terminate();
    }
    this.#writing = new Mutex();
  }

  async #feed(consumer: Consumer, frame: Frame, message: EmulatedMessage): Promise<void> {
    consumer.ready = false;
    await Promise.resolve();
    if (frame.account === consumer.number) {
      const release = await this.#writing.acquire();
      const written = await sendText(consumer.socket, frame.params);
      release();
      // The goroutine ends at a failed write, and nobody takes over its channel.
      if (!written) return;
      message.webSocket.written += 1;
    }
    consumer.ready = true;
  }

  async #ping(consumer: Consumer): Promise<void> {
    const release = await this.#writing.acquire();
    if (this.#consumers.has(consumer)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      consumer.socket.ping(Buffer.alloc(0), false, () => resolve());
      await promise;
    }
    release();
  }

  #isDropped(consumer: Consumer): boolean {
    const fault = this.#faults.webSocketDrop;
    if (fault === null) return false;
    consumer.offered += 1;
    return (consumer.offered - 1) % fault.of < fault.drop;
  }

  #forget(consumer: Consumer): void {
    clearInterval(consumer.ping);
    this.#consumers.delete(consumer);
  }
}

/** Resolves when the kernel has the frame, which a peer that does not read can delay for ever. */
async function sendText(socket: WebSocket, text: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.send(text, (error) => resolve(error === undefined || error === null));
  return await promise;
}
