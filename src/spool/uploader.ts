// SPDX-License-Identifier: AGPL-3.0-or-later
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { randomBytes } from 'node:crypto';
import { constants, copyFile, open, rename } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { codeOf, Failure } from '../base/failure.ts';
import { MOST_GRANTS, type ObjectRequest } from '../queue/job.ts';
import type { Grant } from '../queue/reply.ts';
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import type { FixedBatch } from './batches.ts';
import type { ObjectRow } from './objects.ts';
import type { Spool } from './spool.ts';

/** Without data for this long an upload is given up and asked for again. */
const UPLOAD_IDLE_MS = 60_000;
const GRANT_WAIT_MS = 30_000;

type AskGrants = (stream: Hex128, objects: readonly ObjectRequest[]) => Promise<void>;

/**
 * Uploads objects with the archiver's grants: one PUT each, for exactly these bytes under exactly this lock. The connector has
 * no credential of its own; whether an object counts is the archiver's to find out.
 */
export class Uploader {
  readonly #spool: Spool;
  readonly #ask: AskGrants;
  readonly #waiting = new Map<Hex256, { resolve: (grant: Grant) => void; reject: (error: unknown) => void }>();
  readonly #stop = new AbortController();

  constructor(spool: Spool, ask: AskGrants) {
    this.#spool = spool;
    this.#ask = ask;
  }

  /** Uploads what the batch's records name and is not uploaded yet. Rejects with a `retry` failure; the batch then waits. */
  async upload({ stream, first, last }: FixedBatch): Promise<void> {
    const objects = this.#spool.objects.pending(stream.no, first, last);
    for (let at = 0; at < objects.length; at += MOST_GRANTS) {
      await this.#uploadSome(stream.stream, objects.slice(at, at + MOST_GRANTS));
    }
  }

  async #uploadSome(stream: Hex128, objects: readonly ObjectRow[]): Promise<void> {
    const grants = objects.map(({ hash }) => this.#granted(hash));
    // Handled where it is awaited; until then a rejection must not count as unhandled.
    for (const grant of grants) grant.catch(() => undefined);
    await this.#ask(
      stream,
      objects.map(({ hash, md5, size, ret }) => ({ sha256: hash, md5, size, ret })),
    );
    for (const [index, object] of objects.entries()) {
      await this.#put(object, await (grants[index] as Promise<Grant>));
      await this.#spool.markUploaded(object.hash);
    }
  }

  #granted(hash: Hex256): Promise<Grant> {
    return new Promise<Grant>((resolve, reject) => {
      const timer = setTimeout(() => reject(noGrant('no answer')), GRANT_WAIT_MS);
      timer.unref();
      this.#waiting.set(hash, {
        resolve: (grant) => {
          clearTimeout(timer);
          resolve(grant);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  granted(grants: readonly Grant[]): void {
    for (const grant of grants) {
      this.#waiting.get(grant.sha256)?.resolve(grant);
      this.#waiting.delete(grant.sha256);
    }
  }

  denied(code: string): void {
    for (const { reject } of this.#waiting.values()) reject(noGrant(code));
    this.#waiting.clear();
  }

  async #put(object: ObjectRow, grant: Grant): Promise<void> {
    if (grant.size !== object.size) throw noGrant('a grant for another size');
    const url = new URL(grant.url);
    try {
      if (url.protocol === 'file:') return await copyWhole(this.#spool.objects.pathOf(object.hash), fileURLToPath(url));
      await this.#send(object, url, grant.headers);
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure('spool/upload', {
        expected: 'an upload that the store takes',
        got: codeOf(error),
        cause: error,
      });
    }
  }

  async #send(object: ObjectRow, url: URL, headers: Grant['headers']): Promise<void> {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = start(url, { method: 'PUT', headers, signal: this.#stop.signal, timeout: UPLOAD_IDLE_MS });
    request.on('timeout', () => request.destroy(new Error('idle')));
    const answered = new Promise<number>((resolve, reject) => {
      request.on('error', reject);
      request.on('response', (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
        response.on('error', reject);
      });
    });
    // An early refusal ends the pipe with an error of its own; the answer says why.
    await pipeline(this.#spool.objects.read(object.hash), request).catch(() => undefined);
    const status = await answered;
    if (status < 200 || status > 299) {
      throw new Failure('spool/upload', {
        expected: 'status 200',
        got: `status ${status}`,
        fix: 'a fresh grant is asked for',
      });
    }
  }

  stop(): void {
    this.#stop.abort();
    this.denied('stopped');
  }
}

function noGrant(got: string): Failure {
  return new Failure('spool/no-grant', { expected: 'a grant from the archiver', got, fix: 'it is asked again' });
}

/** To a directory on this machine: a file of its own first, then renamed to the granted path, so that a half copy never counts. */
async function copyWhole(from: string, to: string): Promise<void> {
  const part = `${to}.${randomBytes(8).toString('hex')}.part`;
  await copyFile(from, part, constants.COPYFILE_EXCL);
  await using file = await open(part, 'r+');
  await file.sync();
  await rename(part, to);
}
