// SPDX-License-Identifier: AGPL-3.0-or-later

import type { ServerResponse } from 'node:http';
import { encodeGo } from './json.ts';

/** One REST answer, before it is written. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The client's side of the connection has taken all of it. */
  readonly onSent?: () => void;
}

/** Go sets the length by itself up to this size; larger answers of unstated length are chunked. */
const autoLengthBytes = 2048;

export function jsonReply(status: number, value: unknown): Reply {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
    body: Buffer.from(encodeGo(value)),
  };
}

export function errorReply(status: number, error: string): Reply {
  return jsonReply(status, { error });
}

/** A body that could not be bound: the status is out before the text, so the server guesses the content type. */
export function unboundBodyReply(error: string): Reply {
  return { ...errorReply(400, error), headers: { 'Content-Type': 'text/plain; charset=utf-8' } };
}

export function textReply(status: number, text: string, contentType = 'text/plain; charset=utf-8'): Reply {
  return { status, headers: { 'Content-Type': contentType }, body: Buffer.from(text) };
}

export function bytesReply(contentType: string, body: Buffer): Reply {
  return { status: 200, headers: { 'Content-Type': contentType }, body };
}

export function emptyReply(status: number): Reply {
  return { status, headers: {}, body: Buffer.alloc(0) };
}

export function notFoundReply(): Reply {
  return textReply(404, '404 page not found', 'text/plain');
}

/** Writes an answer the way Go's server does: no `Connection` header, a length when it is known or short. */
export function writeReply(response: ServerResponse, reply: Reply): void {
  response.statusCode = reply.status;
  response.removeHeader('Connection');
  for (const [name, value] of Object.entries(reply.headers)) response.setHeader(name, value);
  if (reply.status !== 204 && reply.body.length <= autoLengthBytes) {
    response.setHeader('Content-Length', reply.body.length);
  }
  if (reply.onSent !== undefined) response.once('finish', reply.onSent);
  if (reply.body.length > 0) response.write(reply.body);
  response.end();
}
