// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf, Failure } from '../base/failure.ts';
import { MOST_GRANTS, type ObjectRequest } from '../queue/job.ts';
import type { Grant } from '../queue/reply.ts';
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import type { FixedBatch } from './batches.ts';
import type { ObjectRow } from './objects.ts';
import { putFile } from './put-file.ts';
import type { Spool } from './spool.ts';

const GRANT_WAIT_MS = 30_000;
/** Uploads at a time, of all streams: each holds a connection and a piece of a file. */
const MOST_UPLOADS = 4;

type AskGrants = (stream: Hex128, objects: readonly ObjectRequest[]) => Promise<void>;

interface Waiting {
  readonly resolve: (grant: Grant) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Uploads objects with the archiver's grants: one PUT each, for exactly these bytes under exactly this lock. The connector has
 * no credential of its own; whether an object counts is the archiver's to find out.
 */
export class Uploader {
  readonly #spool: Spool;
  readonly #ask: AskGrants;
  /** By stream and object: an object may be on its way for two streams, when one takes over from the other. */
  readonly #waiting = new Map<Hex128, Map<Hex256, Waiting>>();
  readonly #stop = new AbortController();
  #uploads = 0;
  readonly #turns: (() => void)[] = [];

  constructor(spool: Spool, ask: AskGrants) {
    this.#spool = spool;
    this.#ask = ask;
  }

  /**
   * Uploads what the batch's records name and is not uploaded yet. Rejects with a `retry` failure, and the batch then waits, or with
   * `spool/object-unreadable` if an object's file is missing or rotten.
   */
  async upload({ stream, first, last }: FixedBatch): Promise<void> {
    const objects = this.#spool.objects.pending(stream.no, first, last);
    for (let at = 0; at < objects.length; at += MOST_GRANTS) {
      const some = await Promise.all(objects.slice(at, at + MOST_GRANTS).map((object) => this.#withMd5(object)));
      await this.#uploadSome(stream.stream, some);
    }
  }

  /** A row that was put back after damage does not know its MD5. */
  async #withMd5(object: ObjectRow): Promise<ObjectRow> {
    return object.md5 === '' ? { ...object, md5: await this.#checked(object) } : object;
  }

  async #checked(object: ObjectRow): Promise<string> {
    const md5 = await this.#spool.objects.check(object);
    if (md5 !== null) return md5;
    throw new Failure('spool/object-unreadable', {
      expected: 'the object that was sealed',
      got: 'no file, or other bytes',
      where: `object ${object.hash}`,
      fix: 'its record goes into a new stream with a gap for what is lost; look at the disk',
    });
  }

  async #uploadSome(stream: Hex128, objects: readonly ObjectRow[]): Promise<void> {
    const waiting = new Map<Hex256, Waiting>();
    this.#waiting.set(stream, waiting);
    const grants = objects.map(({ hash }) => grantFor(hash, waiting));
    try {
      await this.#ask(
        stream,
        objects.map(({ hash, md5, size, ret }) => ({ sha256: hash, md5, size, ret })),
      );
      for (const [index, object] of objects.entries()) {
        const grant = await (grants[index] as Promise<Grant>);
        await this.#inTurn(() => this.#put(object, grant));
        await this.#spool.markUploaded(object.hash);
      }
    } finally {
      if (this.#waiting.get(stream) === waiting) this.#waiting.delete(stream);
    }
  }

  granted(stream: Hex128, grants: readonly Grant[]): void {
    const waiting = this.#waiting.get(stream);
    for (const grant of grants) waiting?.get(grant.sha256)?.resolve(grant);
  }

  denied(stream: Hex128, code: string): void {
    for (const { reject } of this.#waiting.get(stream)?.values() ?? []) reject(noGrant(code));
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    while (this.#uploads >= MOST_UPLOADS) await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#uploads += 1;
    try {
      await work();
    } finally {
      this.#uploads -= 1;
      this.#turns.shift()?.();
    }
  }

  async #put(object: ObjectRow, grant: Grant): Promise<void> {
    if (grant.size !== object.size) throw noGrant('a grant for another size');
    try {
      await putFile(this.#spool.objects.pathOf(object.hash), grant, this.#stop.signal);
    } catch (cause) {
      // The store refuses other bytes than granted: whether they are ours to blame is seen here, once, and not on every upload.
      if (!this.#stop.signal.aborted) await this.#checked(object);
      if (cause instanceof Failure) throw cause;
      throw new Failure('spool/upload', { expected: 'an upload that the store takes', got: codeOf(cause), cause });
    }
  }

  stop(): void {
    this.#stop.abort();
    for (const stream of this.#waiting.keys()) this.denied(stream, 'stopped');
  }
}

function grantFor(hash: Hex256, waiting: Map<Hex256, Waiting>): Promise<Grant> {
  const { promise, resolve, reject } = Promise.withResolvers<Grant>();
  const timer = setTimeout(() => reject(noGrant('no answer')), GRANT_WAIT_MS);
  timer.unref();
  // Handled where it is awaited; until then a rejection must not count as unhandled.
  promise.catch(() => undefined).finally(() => clearTimeout(timer));
  waiting.set(hash, { resolve, reject });
  return promise;
}

function noGrant(got: string): Failure {
  return new Failure('spool/no-grant', { expected: 'a grant from the archiver', got, fix: 'it is asked again' });
}
