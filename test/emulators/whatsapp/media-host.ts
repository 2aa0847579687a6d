// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpRequestSeen } from './book.ts';
import type { MediaFault, MediaKind, MediaReference, MediaToHost } from './media-api.ts';
import { encryptedLength, encryptedOf, makeBlob, referenceOf } from './media-crypto.ts';
import type { Blob } from './media-crypto.ts';

interface Hosted {
  readonly blob: Blob;
  fault: MediaFault | null;
  /** Times the fault has struck. */
  struck: number;
}

type Seen = { -readonly [K in keyof HttpRequestSeen]: HttpRequestSeen[K] };

/** Blobs by path, and the ways in which a content network can disappoint. */
export class MediaHost {
  readonly requests: Seen[] = [];
  readonly #hosted = new Map<string, Hosted>();
  readonly #url: () => string;

  constructor(url: () => string) {
    this.#url = url;
  }

  put({ kind, bytes, size = 0, fault }: MediaToHost): MediaReference {
    return this.#host(makeBlob(kind, bytes ?? null, size), fault ?? null);
  }

  setFault(directPath: string, fault: MediaFault | null): void {
    const hosted = this.#find(directPath);
    if (hosted === undefined) throw new Error('nothing is hosted under this path');
    hosted.fault = fault;
    hosted.struck = 0;
  }

  /** What a phone does when asked: the same file under a new path. */
  uploadAgain(directPath: string, kind?: MediaKind): MediaReference | null {
    const hosted = this.#find(directPath);
    if (hosted === undefined) return null;
    return this.#host(kind === undefined ? hosted.blob : { ...hosted.blob, kind }, null);
  }

  #host(blob: Blob, fault: MediaFault | null): MediaReference {
    const path = `/v/t62.7118-24/${randomBytes(8).toString('hex')}.enc?ccb=11-4&oh=01_Q5A&oe=${randomBytes(4).toString('hex')}`;
    this.#hosted.set(pathOnly(path), { blob, fault, struck: 0 });
    return referenceOf(blob, path, this.#url());
  }

  #find(directPath: string): Hosted | undefined {
    return this.#hosted.get(pathOnly(directPath));
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const seen: Seen = {
      method: request.method ?? '',
      host: request.headers.host ?? null,
      path: request.url ?? '',
      status: 0,
      headers,
      bytesSent: 0,
    };
    this.requests.push(seen);
    const hosted = this.#find(request.url ?? '');
    if (hosted === undefined) return finish(seen, response, 404);
    const fault = strike(hosted);
    if (fault?.fault === 'mute') return;
    if (fault?.fault === 'status') return finish(seen, response, fault.status);
    if (fault?.fault === 'redirect') return finish(seen, response, 302, { location: fault.location });
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const length = encryptedLength(hosted.blob);
    seen.status = from > 0 ? 206 : 200;
    response.writeHead(seen.status, {
      'content-type': 'application/octet-stream',
      ...lengthHeader(fault, length - from),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${length - 1}/${length}` } : {}),
    });
    await write(seen, response, bytesWith(fault, skip(encryptedOf(hosted.blob), from)), fault);
  }
}

function pathOnly(path: string): string {
  return path.split('?')[0] ?? '';
}

function strike(hosted: Hosted): MediaFault | null {
  const { fault } = hosted;
  if (fault === null) return null;
  const times = 'times' in fault ? fault.times : undefined;
  if (times !== undefined && hosted.struck >= times) return null;
  hosted.struck += 1;
  return fault;
}

function finish(seen: Seen, response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  seen.status = status;
  response.writeHead(status, { 'content-length': '0', ...headers }).end();
}

function lengthHeader(fault: MediaFault | null, length: number): Record<string, string> {
  switch (fault?.fault) {
    case 'content-length':
      return { 'content-length': String(fault.bytes) };
    case 'truncate':
      return { 'content-length': String(fault.atByte) };
    case 'append':
      return { 'content-length': String(length + fault.bytes) };
    case 'endless':
      return {};
    default:
      return { 'content-length': String(length) };
  }
}

function* skip(chunks: Iterable<Uint8Array>, bytes: number): Generator<Uint8Array> {
  let left = bytes;
  for (const chunk of chunks) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** The body with the fault's change of its bytes. */
function* bytesWith(fault: MediaFault | null, chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let at = 0;
  for (const chunk of chunks) {
    const next = at + chunk.length;
    if (fault?.fault === 'flip' && fault.atByte >= at && fault.atByte < next) {
      const copy = Buffer.from(chunk);
      const index = fault.atByte - at;
      copy[index] = (copy[index] ?? 0) ^ 1;
      yield copy;
    } else if (fault?.fault === 'truncate' && next > fault.atByte) {
      yield chunk.subarray(0, Math.max(0, fault.atByte - at));
      return;
    } else {
      yield chunk;
    }
    at = next;
  }
  if (fault?.fault === 'append') yield Buffer.alloc(fault.bytes, 1);
  while (fault?.fault === 'endless') yield Buffer.alloc(65_536, 2);
}

async function write(
  seen: Seen,
  response: ServerResponse,
  chunks: Iterable<Uint8Array>,
  fault: MediaFault | null,
): Promise<void> {
  const stopAt = fault?.fault === 'stall' || fault?.fault === 'reset' ? fault.afterBytes : Infinity;
  const pace = fault?.fault === 'trickle' ? fault.bytesPerSecond : 0;
  for (const whole of chunks) {
    for (const chunk of pace > 0 ? pieces(whole, Math.max(1, Math.floor(pace / 20))) : [whole]) {
      const part = chunk.subarray(0, Math.max(0, stopAt - seen.bytesSent));
      if (response.destroyed) return;
      seen.bytesSent += part.length;
      const isFull = part.length > 0 && !response.write(part);
      if (seen.bytesSent >= stopAt) {
        if (fault?.fault === 'reset') response.destroy();
        return;
      }
      if (isFull) await drained(response);
      if (pace > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  response.end();
}

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
