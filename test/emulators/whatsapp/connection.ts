// SPDX-License-Identifier: AGPL-3.0-or-later
import type { WebSocket } from 'ws';
import { decodeBinaryNode, encodeBinaryNode } from '@whiskeysockets/baileys';
import type { proto } from '@whiskeysockets/baileys';
import { NoiseResponder } from './noise.ts';
import type { NoiseAuthority } from './noise.ts';
import { SERVER, node } from './wire.ts';
import type { WireNode } from './wire.ts';
import type { LiveEntry, Queue } from './queue.ts';
import type { LinkedDevice } from './world.ts';

export interface ConnectionHandlers {
  login(connection: Connection, payload: proto.ClientPayload): void;
  node(connection: Connection, node: WireNode): Promise<void>;
  closed(connection: Connection): void;
}

/** Bytes in the socket's buffer above which prepared messages wait. */
const HIGH_WATER = 1 << 20;

/** One WebSocket of a client. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #noise: NoiseResponder;
  readonly #handlers: ConnectionHandlers;
  #chain: Promise<void> = Promise.resolve();
  clientKey: Buffer = Buffer.alloc(0);
  device: LinkedDevice | null = null;
  /** It asked for its queue. */
  active = false;
  silent = false;

  constructor(socket: WebSocket, authority: NoiseAuthority, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#noise = new NoiseResponder(authority, (bytes) => {
      if (socket.readyState === socket.OPEN) socket.send(bytes);
    });
    socket.on('message', (data: Buffer) => {
      this.#chain = this.#chain.then(() => this.#take(data)).catch(() => socket.terminate());
    });
    socket.on('close', () => handlers.closed(this));
    socket.on('error', () => {});
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  async #take(data: Buffer): Promise<void> {
    for (const event of this.#noise.take(data)) {
      if (event.type === 'login') {
        this.clientKey = event.clientKey;
        this.#handlers.login(this, event.payload);
      } else {
        await this.#handlers.node(this, (await decodeBinaryNode(event.bytes)) as WireNode);
      }
    }
  }

  send(content: WireNode): void {
    if (!this.silent) this.#noise.seal(encodeBinaryNode(content));
  }

  /** Sends an entry of the queue; in an offline batch with the attribute that says so. */
  sendEntry(queue: Queue, entry: LiveEntry, offline: boolean): void {
    if (this.silent) return;
    entry.sent += 1;
    if (!offline) this.#noise.seal(queue.encoded(entry));
    else this.send({ ...entry.node, attrs: { ...entry.node.attrs, offline: '1' } });
  }

  /** Resolves when the client takes more. */
  async writable(): Promise<void> {
    while (this.isOpen && this.#socket.bufferedAmount > HIGH_WATER)
      await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** A frame that is sealed but holds these bytes instead of a node. */
  sendSealed(bytes: Uint8Array): void {
    this.#noise.seal(bytes);
  }

  sendRaw(bytes: Uint8Array, announcedLength?: number): void {
    this.#noise.sendRaw(bytes, announcedLength);
  }

  result(query: WireNode, content?: WireNode[]): void {
    const attrs = { from: query.attrs['to'] ?? SERVER, type: 'result', id: query.attrs['id'] ?? '' };
    this.send(node('iq', attrs, content));
  }

  close(): void {
    this.#socket.close();
  }

  kill(): void {
    this.#socket.terminate();
  }
}
