// SPDX-License-Identifier: AGPL-3.0-or-later
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request as it arrived, whole. Header names are lower case. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What goes wrong with one exchange. */
export type Fault =
  /** The connection ends before the server sees anything. */
  | { readonly kind: 'lose-request' }
  /** The server does what it is asked and its answer never arrives. */
  | { readonly kind: 'lose-answer' }
  /** Something else answers; `forwarded` says whether the server did the work all the same. */
  | { readonly kind: 'answer'; readonly answer: Answer; readonly forwarded: boolean }
  /** `before` the server sees it, or `after` it has answered. A client that gives up does not stop what is on its way. */
  | { readonly kind: 'delay'; readonly beforeMs?: number; readonly afterMs?: number }
  /** Only the first `bytes` of the body come. `honest`: the headers say so too, so that nothing looks cut. */
  | { readonly kind: 'truncate'; readonly bytes: number; readonly honest: boolean }
  /** The server's own answer, changed. */
  | { readonly kind: 'change'; readonly change: (answer: Answer) => Answer };

/** Decides before the server sees the request; null lets it pass. */
export type Rule = (exchange: Exchange) => Fault | null | Promise<Fault | null>;

interface Once {
  readonly matches: (exchange: Exchange) => boolean;
  readonly fault: Fault;
}

/** An HTTP proxy in front of one server that fails as told. Signatures stay valid: it changes no header on the way in. */
export class HttpFaultProxy implements AsyncDisposable {
  /** Every request that arrived, in order. */
  readonly seen: Exchange[] = [];
  /** Asked for every exchange that no `once` takes. */
  rule: Rule = () => null;
  readonly #target: URL;
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #once: Once[] = [];

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next exchange that matches suffers the fault, one only. */
  once(matches: (exchange: Exchange) => boolean, fault: Fault): void {
    this.#once.push({ matches, fault });
  }

  /** Forgets rules, faults that did not happen, and what was seen. */
  reset(): void {
    this.rule = () => null;
    this.#once.length = 0;
    this.seen.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const exchange: Exchange = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: flat(request.headers),
      body: await collect(request),
    };
    this.seen.push(exchange);
    const fault = this.#takeOnce(exchange) ?? (await this.rule(exchange));
    if (fault?.kind === 'lose-request') return void response.destroy();
    if (fault?.kind === 'answer' && !fault.forwarded) return send(response, fault.answer);
    if (fault?.kind === 'delay' && fault.beforeMs !== undefined) await sleep(fault.beforeMs);
    const answer = await this.#forward(exchange, request.rawHeaders);
    if (fault === null) return pass(response, answer);
    const whole = await collected(answer);
    switch (fault.kind) {
      case 'lose-answer':
        return void response.destroy();
      case 'answer':
        return send(response, fault.answer);
      case 'delay':
        if (fault.afterMs !== undefined) await sleep(fault.afterMs);
        return send(response, whole);
      case 'truncate':
        return truncate(response, whole, fault.bytes, fault.honest);
      case 'change':
        return send(response, fault.change(whole));
    }
  }

  #takeOnce(exchange: Exchange): Fault | null {
    const index = this.#once.findIndex(({ matches }) => matches(exchange));
    return index < 0 ? null : (this.#once.splice(index, 1)[0]?.fault ?? null);
  }

  async #forward({ method, path, body }: Exchange, rawHeaders: readonly string[]): Promise<http.IncomingMessage> {
    const { hostname, port } = this.#target;
    const headers = withoutHopHeaders(rawHeaders);
    return new Promise((resolve, reject) => {
      const request = http.request({ hostname, port, method, path, headers, agent: this.#agent }, resolve);
      request.once('error', reject);
      request.end(body);
    });
  }
}

export async function startFaultProxy(target: string): Promise<HttpFaultProxy> {
  const proxy = new HttpFaultProxy(target);
  await proxy.listen();
  return proxy;
}

async function collected(answer: http.IncomingMessage): Promise<Answer> {
  return { status: answer.statusCode ?? 502, headers: flat(answer.headers), body: await collect(answer) };
}

/** Unchanged and not gathered: whoever measures memory in this process measures his own. */
async function pass(response: http.ServerResponse, answer: http.IncomingMessage): Promise<void> {
  const { 'transfer-encoding': _, connection: __, ...headers } = flat(answer.headers);
  response.writeHead(answer.statusCode ?? 502, headers);
  await pipeline(answer, response);
}

function send(response: http.ServerResponse, { status, headers, body }: Answer): void {
  const { 'transfer-encoding': _, connection: __, ...kept } = headers;
  // An answer to HEAD announces a length that does not follow.
  const length =
    body.length > 0 || kept['content-length'] === undefined ? { 'content-length': String(body.length) } : {};
  response.writeHead(status, { ...kept, ...length });
  response.end(body);
}

function truncate(response: http.ServerResponse, answer: Answer, bytes: number, honest: boolean): void {
  const body = answer.body.subarray(0, bytes);
  if (honest)
    return send(response, { ...answer, body, headers: { ...answer.headers, 'content-length': String(bytes) } });
  const { 'transfer-encoding': _, ...headers } = answer.headers;
  response.writeHead(answer.status, { ...headers, 'content-length': String(answer.body.length) });
  response.write(body, () => response.destroy());
}

/** Those between two neighbours. `Expect` has been answered here already. */
function withoutHopHeaders(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (!/^(?:connection|keep-alive|expect)$/i.test(name)) kept.push(name, raw[at + 1] ?? '');
  }
  return kept;
}

function flat(headers: http.IncomingHttpHeaders): Record<string, string> {
  const all = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : (value ?? ''),
  ]);
  return Object.fromEntries(all) as Record<string, string>;
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
