// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { Failure, isFailure } from '../../base/failure.ts';
import { decodeText, fields, list, parseJson, text, type JsonValue } from './json.ts';

/** What the daemon answers about a number that it has not, or no longer. 400 on most routes, 500 on some. */
const UNKNOWN_ACCOUNT = 'Specified account does not exist';
const MOST_ANSWER_BYTES = 64 * 1024 * 1024;

export interface RestOptions {
  readonly api: string;
  readonly timeoutMs: number;
  readonly retryMs: number;
  readonly attachmentIdleMs: number;
}

export interface Answer {
  readonly body: Uint8Array;
  readonly json: JsonValue;
}

export interface AttachmentBody {
  /** As the server says; null if it does not. */
  readonly length: number | null;
  readonly contentType: string | null;
  readonly stream: Readable;
}

/**
 * The REST API, one call at a time: its server reads a map without its lock, and an answer that comes back too fast is lost for
 * good. So every call has a time limit of its own and is repeated once. Failures name codes only: bodies hold texts about people,
 * paths hold numbers.
 */
export class Rest {
  readonly #axios: AxiosInstance;
  readonly #options: RestOptions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RestOptions) {
    this.#options = options;
    this.#axios = axios.create({
      baseURL: options.api,
      // Never through a proxy of the environment: this is the way of plaintext.
      proxy: false,
      maxRedirects: 0,
      maxContentLength: MOST_ANSWER_BYTES,
      validateStatus: () => true,
      transformResponse: (body: unknown) => body,
    });
  }

  /** The answer to a GET, parsed without rounding a number. Throws `signal/*`. */
  async get(path: string, signal: AbortSignal): Promise<Answer> {
    const response = await this.#inTurn(() => this.#withRetry(() => this.#bytes('GET', path, signal), signal));
    if (response.status !== 200) throw refusal(response, path);
    try {
      return { body: response.data, json: parseJson(decodeText(response.data)) };
    } catch {
      throw unexpected('JSON', 'other text', path);
    }
  }

  /** The numbers that signal-cli has. */
  async accounts(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const { json } = await this.get('v1/accounts', signal);
    return new Set(list(json).flatMap((number) => text(number) ?? []));
  }

  /** Starts reading an attachment; null if there is none of this name. Only the head of the answer waits its turn. */
  async attachment(id: string, signal: AbortSignal): Promise<AttachmentBody | null> {
    const response = await this.#inTurn(() => this.#withRetry(() => this.#stream(attachmentPath(id), signal), signal));
    if (response.status !== 200) {
      response.data.destroy();
      if (response.status === 404) return null;
      throw unexpected('200', String(response.status), 'v1/attachments');
    }
    const length = Number(response.headers['content-length'] ?? Number.NaN);
    const contentType: unknown = response.headers['content-type'];
    return {
      length: Number.isSafeInteger(length) ? length : null,
      contentType: typeof contentType === 'string' ? contentType : null,
      stream: response.data,
    };
  }

  /** Gone is as good as removed. */
  async removeAttachment(id: string, signal: AbortSignal): Promise<void> {
    const { status } = await this.#inTurn(() =>
      this.#withRetry(() => this.#bytes('DELETE', attachmentPath(id), signal), signal),
    );
    if (status !== 204 && status !== 200 && status !== 404) throw unexpected('204', String(status), 'v1/attachments');
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(call, call);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #withRetry<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (!isFailure(error, 'retry') || signal.aborted) throw error;
      await sleep(this.#options.retryMs, undefined, { signal }).catch(() => undefined);
      return await call();
    }
  }

  async #bytes(method: 'GET' | 'DELETE', path: string, signal: AbortSignal): Promise<AxiosResponse<Buffer>> {
    const limit = AbortSignal.timeout(this.#options.timeoutMs);
    const request = {
      method,
      url: path,
      responseType: 'arraybuffer',
      signal: AbortSignal.any([signal, limit]),
    } as const;
    const response = await this.#axios.request<Buffer>(request).catch((error: unknown) => fail(error, path, signal));
    // The handler of the REST process panicked, as it does while it has no connection to the daemon.
    if (response.status === 500 && response.data.length === 0) {
      throw new Failure('signal/daemon-away', {
        expected: 'an answer of signal-cli',
        got: '500 without a body',
        where: placeOf(path),
      });
    }
    return response;
  }

  async #stream(path: string, signal: AbortSignal): Promise<AxiosResponse<Readable>> {
    const head = new AbortController();
    const limit = setTimeout(() => head.abort(), this.#options.timeoutMs);
    const request = {
      url: path,
      responseType: 'stream',
      maxContentLength: -1,
      signal: AbortSignal.any([signal, head.signal]),
    } as const;
    try {
      return await this.#axios.request<Readable>(request).catch((error: unknown) => fail(error, path, signal));
    } finally {
      clearTimeout(limit);
    }
  }

  /**
   * The bytes of an attachment while they come. Throws `signal/attachment-cut` if they stop coming or end before `body.length`, and
   * `signal/attachment-oversized` beyond `mostBytes`.
   */
  async *read(body: AttachmentBody, mostBytes: number): AsyncGenerator<Uint8Array> {
    const { stream, length } = body;
    let size = 0;
    let idle: NodeJS.Timeout | undefined;
    const rest = (): void => {
      clearTimeout(idle);
      idle = setTimeout(() => stream.destroy(cut('nothing for too long')), this.#options.attachmentIdleMs);
    };
    rest();
    try {
      for await (const piece of stream as AsyncIterable<Buffer>) {
        size += piece.length;
        if (size > mostBytes) throw oversized(mostBytes);
        yield piece;
        rest();
      }
    } catch (error) {
      throw error instanceof Failure ? error : cut('a broken connection');
    } finally {
      clearTimeout(idle);
      stream.destroy();
    }
    if (length !== null && size !== length) throw cut(`${size} of ${length} bytes`);
  }
}

export function oversized(mostBytes: number): Failure {
  return new Failure('signal/attachment-oversized', {
    expected: `at most ${mostBytes} bytes`,
    got: 'more',
    where: 'v1/attachments',
  });
}

function attachmentPath(id: string): string {
  return `v1/attachments/${encodeURIComponent(id)}`;
}

function fail(error: unknown, path: string, signal: AbortSignal): never {
  if (signal.aborted) throw new Failure('signal/stopped', { expected: 'a session that runs', got: 'one that stops' });
  // The foreign error is not kept as the cause: it holds the request, and with it a number.
  const code = axios.isAxiosError(error) ? (error.code ?? 'none') : 'none';
  if (code === 'ERR_CANCELED') {
    throw new Failure('signal/timeout', { expected: 'an answer in time', got: 'none', where: placeOf(path) });
  }
  throw new Failure('signal/unreachable', {
    expected: 'an answer of the REST API',
    got: code,
    where: placeOf(path),
    fix: 'check that the container runs and that `api` is its address',
  });
}

function refusal({ status, data }: AxiosResponse<Buffer>, path: string): Failure {
  const message = messageOf(data);
  if (message?.includes(UNKNOWN_ACCOUNT) === true) {
    return new Failure('signal/account-unknown', {
      expected: 'an account of signal-cli',
      got: 'one it does not have',
      where: placeOf(path),
    });
  }
  return unexpected('200', String(status), path);
}

function messageOf(body: Uint8Array): string | null {
  try {
    return text(fields(parseJson(decodeText(body)))?.['error']);
  } catch {
    return null;
  }
}

function unexpected(expected: string, got: string, path: string): Failure {
  return new Failure('signal/answer', { expected, got, where: placeOf(path) });
}

function cut(got: string): Failure {
  return new Failure('signal/attachment-cut', { expected: 'the whole file', got, where: 'v1/attachments' });
}

/** The route without what it is about: numbers and names stay out of errors. */
function placeOf(path: string): string {
  return path.split('/').slice(0, 2).join('/').split('?')[0] as string;
}
