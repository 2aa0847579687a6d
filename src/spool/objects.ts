// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Hex256 } from '../record/entry-types.ts';
import { newObjectKey, sealObject } from '../seal/object.ts';
import { paddedLength } from '../seal/plaintext.ts';
import { codeOf, Failure } from '../base/failure.ts';

/** A sealed object in the spool, before any record names it. */
export interface StagedObject {
  /** Of the sealed bytes: the object's name for ever. */
  readonly hash: Hex256;
  readonly md5: string;
  readonly size: number;
  /** Of the plaintext; goes into the sealed view. */
  readonly key: string;
  readonly plainSize: number;
  readonly plainSha256: Hex256;
}

export interface ObjectRow {
  readonly hash: Hex256;
  readonly md5: string;
  readonly size: number;
  readonly ret: string;
  readonly seq: number;
}

const OBJECTS = 'objects';
const PADDING_PIECE = Buffer.alloc(65_536);

/**
 * Sealed objects that wait for upload: one file each, named by its hash, fsynced before a record names it.
 * A file without a row is what a crash left between the two; it is removed at start.
 */
export class SpoolObjects {
  readonly #directory: string;
  readonly #insert: StatementSync;
  readonly #uploaded: StatementSync;
  readonly #ofRecords: StatementSync;
  readonly #known: StatementSync;
  #staging = 0;

  constructor(db: DatabaseSync, directory: string) {
    this.#directory = join(directory, OBJECTS);
    this.#insert = db.prepare('INSERT INTO objects(hash, md5, size, ret, stream_no, seq) VALUES (?, ?, ?, ?, ?, ?)');
    this.#uploaded = db.prepare('UPDATE objects SET uploaded_ms = ? WHERE hash = ?');
    this.#ofRecords = db.prepare(
      'SELECT hash, md5, size, ret, seq FROM objects WHERE stream_no = ? AND seq BETWEEN ? AND ? AND uploaded_ms IS NULL ORDER BY seq',
    );
    this.#known = db.prepare('SELECT 1 AS yes FROM objects WHERE hash = ?');
  }

  /** Makes the directory and removes what no row names. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) {
      if (this.#known.get(name) === undefined) await unlink(join(this.#directory, name));
    }
  }

  pathOf(hash: Hex256): string {
    return join(this.#directory, hash);
  }

  read(hash: Hex256): ReadStream {
    return createReadStream(this.pathOf(hash), { highWaterMark: 1024 * 1024 });
  }

  /** Seals a stream into a durable file in bounded memory. A failure leaves nothing that counts. */
  async stage(source: AsyncIterable<Uint8Array>): Promise<StagedObject> {
    this.#staging += 1;
    const temporary = join(this.#directory, `staging-${process.pid}-${this.#staging}`);
    const file = await open(temporary, 'wx', 0o600).catch(storageFailure);
    try {
      const key = newObjectKey();
      const plain = new PlainMeter(source);
      const sealed = await writeSealed(file, sealObject(key, plain.padded()));
      await file.sync().catch(storageFailure);
      await file.close();
      await rename(temporary, this.pathOf(sealed.hash)).catch(storageFailure);
      await this.#syncDirectory();
      return { ...sealed, key: key.toString('hex'), plainSize: plain.size, plainSha256: plain.sha256() };
    } catch (error) {
      await file.close().catch(() => undefined);
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  }

  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#directory, 'r');
    await directory.sync().catch(storageFailure);
    await directory.close();
  }

  /** Ties a staged object to the record that names it. Runs inside a transaction. */
  attach(object: StagedObject, ret: string, streamNo: number, seq: number): void {
    this.#insert.run(object.hash, object.md5, object.size, ret, streamNo, seq);
  }

  /** Objects that records `first` to `last` of a stream name and that are not uploaded yet. */
  pending(streamNo: number, first: number, last: number): ObjectRow[] {
    return this.#ofRecords.all(streamNo, first, last) as unknown as ObjectRow[];
  }

  markUploaded(hash: Hex256, nowMs: number): void {
    this.#uploaded.run(nowMs, hash);
  }

  async remove(hash: Hex256): Promise<void> {
    await unlink(this.pathOf(hash)).catch(() => undefined);
  }
}

function storageFailure(cause: unknown): never {
  throw new Failure('spool/object-write', {
    expected: 'a durable file',
    got: codeOf(cause),
    fix: 'free space on the spool volume or replace it',
    cause,
  });
}

async function writeSealed(
  file: FileHandle,
  sealed: AsyncIterable<Buffer>,
): Promise<{ hash: Hex256; md5: string; size: number }> {
  const sha256 = createHash('sha256');
  // Not for security: it is what binds the body of an upload on S3 servers that do not check SHA-256.
  const md5 = createHash('md5');
  let size = 0;
  for await (const chunk of sealed) {
    sha256.update(chunk);
    md5.update(chunk);
    size += chunk.length;
    await file.writeFile(chunk).catch(storageFailure);
  }
  return { hash: sha256.digest('hex'), md5: md5.digest('base64'), size };
}

/** Measures the plaintext on its way and pads it, so that the sealed size does not tell the size. */
class PlainMeter {
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #sha256 = createHash('sha256');
  size = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  sha256(): Hex256 {
    return this.#sha256.digest('hex');
  }

  async *padded(): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#source) {
      this.#sha256.update(piece);
      this.size += piece.length;
      yield piece;
    }
    for (let rest = paddedLength(this.size) - this.size; rest > 0; rest -= PADDING_PIECE.length) {
      yield PADDING_PIECE.subarray(0, Math.min(rest, PADDING_PIECE.length));
    }
  }
}
