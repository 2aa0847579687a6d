// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { constants, copyFile, open, rename, unlink } from 'node:fs/promises';
import { request as httpRequest, type ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Failure } from '../base/failure.ts';
import type { Grant } from '../queue/reply.ts';

/** Without data for this long an upload is given up and asked for again. */
const UPLOAD_IDLE_MS = 60_000;
const PIECE_BYTES = 1024 * 1024;

/** Puts a file where a grant says: into a directory of this machine, or with one HTTP request. */
export async function putFile(
  path: string,
  { url, headers }: Pick<Grant, 'url' | 'headers'>,
  signal: AbortSignal,
  idleMs: number = UPLOAD_IDLE_MS,
): Promise<void> {
  const target = new URL(url);
  if (target.protocol === 'file:') return copyWhole(path, fileURLToPath(target));
  const start = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = start(target, { method: 'PUT', headers, signal, timeout: idleMs });
  request.on('timeout', () => request.destroy(new Error('idle')));
  const status = statusOf(request);
  const sent = pipeline(createReadStream(path, { highWaterMark: PIECE_BYTES }), request).catch(() => undefined);
  // A refusal may come before all is sent: it ends the sending, and the answer says why.
  await Promise.race([sent, status.catch(() => undefined)]);
  const got = await status.finally(() => (request.writableFinished ? undefined : request.destroy()));
  await sent;
  if (got >= 200 && got <= 299) return;
  throw new Failure('spool/upload', {
    expected: 'status 200',
    got: `status ${got}`,
    fix: 'a fresh grant is asked for',
  });
}

function statusOf(request: ClientRequest): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request.on('error', reject);
  request.on('response', (response) => {
    response.resume();
    response.on('end', () => resolve(response.statusCode ?? 0));
    response.on('error', reject);
  });
  // Whatever ends the connection ends the waiting.
  request.on('close', () => reject(new Error('closed')));
  // It may be rejected while the file is still read, and is awaited only after.
  promise.catch(() => undefined);
  return promise;
}

/** A file of its own first, then renamed to the granted path, so that a half copy never counts. */
async function copyWhole(from: string, to: string): Promise<void> {
  const part = `${to}.${randomBytes(8).toString('hex')}.part`;
  try {
    await copyFile(from, part, constants.COPYFILE_EXCL);
    await using file = await open(part, 'r+');
    await file.sync();
    await rename(part, to);
  } catch (error) {
    await unlink(part).catch(() => undefined);
    throw error;
  }
}
