// SPDX-License-Identifier: AGPL-3.0-or-later

import { Agent, request } from 'node:http';

/**
 * The one POST per message: a single attempt, no time limit, no authentication, and only 200 and 201 count. A connection
 * is reused as the receiver allows; redirects are not followed.
 */
export class Webhook {
  /** Set or changed at any time; `undefined` is a REST process without `RECEIVE_WEBHOOK_URL`. */
  url: string | undefined;
  readonly #open = new Set<AbortController>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string | undefined) {
    this.url = url;
  }

  /** Resolves with whether the receiver accepted the line. Never rejects; may stay pending for ever. */
  async post(rpcLine: string): Promise<boolean> {
    if (this.url === undefined) return false;
    const abort = new AbortController();
    this.#open.add(abort);
    try {
      const status = await this.#status(this.url, Buffer.from(rpcLine), abort.signal);
      return status === 200 || status === 201;
    } catch {
      return false;
    } finally {
      this.#open.delete(abort);
    }
  }

  /** The process ends: what is under way is cut off. */
  abort(): void {
    for (const abort of this.#open) abort.abort();
    this.#agent.destroy();
  }

  #status(url: string, body: Buffer, signal: AbortSignal): Promise<number | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const headers = {
      'User-Agent': 'Go-http-client/1.1',
      'Content-Length': body.length,
      'Content-Type': 'application/json',
      'Accept-Encoding': 'gzip',
    };
    const outgoing = request(url, { method: 'POST', agent: this.#agent, headers, signal }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
      response.once('error', reject);
    });
    outgoing.once('error', reject);
    outgoing.end(body);
    return promise;
  }
}
