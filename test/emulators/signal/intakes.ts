// SPDX-License-Identifier: AGPL-3.0-or-later

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';

export interface WebhookPost {
  readonly body: string;
  readonly contentType: string | undefined;
  readonly method: string | undefined;
}

/** The simplest receiver of webhook posts: keeps every body, answers as told. */
export class WebhookReceiver implements AsyncDisposable {
  readonly posts: WebhookPost[] = [];
  status = 200;
  /** Most requests open at the same time so far. */
  peak = 0;
  readonly #server: Server;
  #held: ServerResponse[] = [];
  #holds = false;
  #open = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#open += 1;
      this.peak = Math.max(this.peak, this.#open);
      void text(request).then((body) => {
        this.posts.push({ body, contentType: request.headers['content-type'], method: request.method });
        if (this.#holds) this.#held.push(response);
        else this.#answer(response);
      });
    });
  }

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** The values of `params`, cut out of the bodies byte for byte. */
  get params(): string[] {
    return this.posts.map((post) =>
      post.body.slice('{"jsonrpc":"2.0","method":"receive","params":'.length, -'}\n'.length),
    );
  }

  /** From now on answers wait for `release`. */
  hold(): void {
    this.#holds = true;
  }

  release(): void {
    this.#holds = false;
    for (const response of this.#held.splice(0)) this.#answer(response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #answer(response: ServerResponse): void {
    this.#open -= 1;
    response.statusCode = this.status;
    response.end();
  }
}

/** A WebSocket client that keeps every frame. */
export class SocketReader implements Disposable {
  readonly frames: string[] = [];
  pings = 0;
  readonly socket: WebSocket;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;

  private constructor(url: string) {
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', (content: Buffer) => this.frames.push(content.toString()));
    this.socket.on('ping', () => (this.pings += 1));
    this.socket.on('error', () => undefined);
    const { promise, resolve } = Promise.withResolvers<number>();
    this.socket.on('close', (code) => resolve(code));
    this.closed = promise;
  }

  static async open(url: string): Promise<SocketReader> {
    const reader = new SocketReader(url);
    await once(reader.socket, 'open');
    return reader;
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** The lines of out.log that are messages; log lines of the daemon stand between them. */
export function journalMessages(path: string): string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'));
}
