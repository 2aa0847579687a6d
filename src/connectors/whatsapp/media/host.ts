// SPDX-License-Identifier: AGPL-3.0-or-later
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { Failure, isFailure } from '../../../base/failure.ts';
import { oversized } from './decrypt.ts';

export interface HostOptions {
  /** Until the headers are there. */
  readonly headersMs: number;
  /** Without a byte. */
  readonly idleMs: number;
  /** For the whole file, however it trickles. */
  readonly totalMs: number;
}

/** The only host that anything is fetched from. Certificates are checked for this name, whatever the environment says. */
export const MEDIA_HOST = 'mmg.whatsapp.net';

const LONGEST_PATH = 4096;
const MOST_RESUMPTIONS = 8;

/**
 * WhatsApp's media host. Senders choose paths, so a path may only be a path: the host, the port and the scheme are constants, redirects
 * are not followed, and no proxy of the environment is used.
 */
export class MediaHost {
  readonly #agent: Agent;
  readonly #options: HostOptions;

  /** Tests give an agent that connects elsewhere. */
  constructor(options: HostOptions, agent: Agent = new Agent({ keepAlive: true, rejectUnauthorized: true })) {
    this.#options = options;
    this.#agent = agent;
  }

  /**
   * The encrypted bytes of a file, from the first to the last; a connection that breaks is taken up where it broke. Throws
   * `whatsapp/media-absent`, `-unreachable`, `-no-address`, `-oversized`.
   */
  async *fetch(path: string, mostBytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    assertPath(path);
    const total = AbortSignal.any([signal, AbortSignal.timeout(this.#options.totalMs)]);
    let at = 0;
    for (let resumption = 0; ; resumption += 1) {
      const before = at;
      try {
        for await (const chunk of this.#from(path, at, mostBytes, total)) {
          at += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        const mayGoOn = isFailure(error, 'retry') && at > before && resumption < MOST_RESUMPTIONS && !total.aborted;
        if (!mayGoOn) throw error;
      }
    }
  }

  async *#from(path: string, from: number, mostBytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await this.#open(path, from, signal);
    try {
      assertStatus(response.statusCode ?? 0);
      const length = Number(response.headers['content-length'] ?? Number.NaN);
      if (length > mostBytes) throw oversized(mostBytes);
      let left = response.statusCode === 206 ? 0 : from;
      if (left === 0 && from > 0) assertRange(response, from);
      for await (const chunk of this.#body(response)) {
        if (left >= chunk.length) left -= chunk.length;
        else {
          yield chunk.subarray(left);
          left = 0;
        }
      }
      if (!response.complete) throw unreachable('a whole answer', 'part of one');
    } finally {
      response.destroy();
    }
  }

  async *#body(response: IncomingMessage): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of response) yield chunk as Buffer;
    } catch (error) {
      throw unreachable('the rest of a file', 'a connection that broke or fell silent', error);
    }
  }

  async #open(path: string, from: number, signal: AbortSignal): Promise<IncomingMessage> {
    const { headersMs, idleMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = request({
      agent: this.#agent,
      host: MEDIA_HOST,
      path,
      signal,
      headers: { origin: 'https://web.whatsapp.com', ...(from > 0 ? { range: `bytes=${from}-` } : {}) },
    });
    const late = setTimeout(() => outgoing.destroy(new Error('no answer')), headersMs);
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => reject(unreachable('an answer', 'none', error)));
    outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error('silence')));
    outgoing.end();
    try {
      return await promise;
    } finally {
      clearTimeout(late);
    }
  }
}

/** A path on the media host, and nothing that any parser could take for more. */
export function isPath(path: string): boolean {
  return path.length <= LONGEST_PATH && /^\/(?![/\\])[\u0021-\u007e]*$/.test(path) && !/[\\#@]/.test(path);
}

function assertPath(path: string): void {
  if (isPath(path)) return;
  throw new Failure('whatsapp/media-no-address', { expected: 'a path on the media host', got: 'something else' });
}

function assertStatus(status: number): void {
  if (status === 200 || status === 206) return;
  const got = `status ${status}`;
  if ([401, 403, 404, 410].includes(status)) {
    throw new Failure('whatsapp/media-absent', { expected: 'the file', got });
  }
  if (status >= 300 && status < 400) {
    throw new Failure('whatsapp/media-no-address', { expected: 'the file at its own address', got });
  }
  throw unreachable('the file', got);
}

function assertRange({ headers }: IncomingMessage, from: number): void {
  const range = headers['content-range'] ?? '';
  if (!range.startsWith(`bytes ${from}-`)) throw unreachable('the rest of the file', 'another part');
}

function unreachable(expected: string, got: string, cause?: unknown): Failure {
  return new Failure('whatsapp/media-unreachable', { expected, got, ...(cause === undefined ? {} : { cause }) });
}
