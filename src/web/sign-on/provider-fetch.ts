// SPDX-License-Identifier: AGPL-3.0-or-later
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

export interface FetchOptions {
  readonly method?: string | undefined;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly signal?: AbortSignal | null | undefined;
}

/**
 * Asks the identity provider as `fetch` would, with authorities of the config's own, and nothing that could be followed elsewhere: a
 * redirection is an answer like any other, which the caller refuses. Whoever answers is not trusted with this process's memory.
 */
export function providerFetch(ca: string | null): (url: string, options: FetchOptions) => Promise<Response> {
  return async (url, { method = 'GET', headers, body, signal }) => {
    const target = new URL(url);
    const until = AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal == null ? [] : [signal])]);
    const sent = body === undefined || body === null ? null : textOf(body);
    const plain = Object.fromEntries(new Headers(headers as ConstructorParameters<typeof Headers>[0]));
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method, headers: plain, signal: until };
      const asking =
        target.protocol === 'https:'
          ? httpsRequest(target, { ...options, minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) }, resolve)
          : httpRequest(target, options, resolve);
      asking.on('error', reject);
      asking.end(sent ?? undefined);
    });
    const { statusCode = 0, headers: answered } = answer;
    const type = answered['content-type'];
    const bytes = await wholeOf(answer);
    return new Response(bytes.length === 0 ? null : bytes, {
      status: statusCode >= 200 && statusCode <= 599 ? statusCode : 502,
      headers: type === undefined ? {} : { 'content-type': type },
    });
  };
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new RangeError('a form');
}

async function wholeOf(answer: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of answer as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > MAX_ANSWER_BYTES) throw new Error('an answer that is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
