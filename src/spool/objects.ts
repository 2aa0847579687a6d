// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BytesRef, Hex256 } from '../record/entry-types.ts';
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
}

/** Where an object's record is. */
interface Place {
  readonly ret: string;
  readonly streamNo: number;
  readonly seq: number;
}

const OBJECTS = 'objects';
const STAGING = 'staging-';
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
  readonly #move: StatementSync;
  readonly #bytes: StatementSync;
  #staging = 0;

  constructor(db: DatabaseSync, directory: string) {
    this.#directory = join(directory, OBJECTS);
    this.#insert = db.prepare('INSERT INTO objects(hash, md5, size, ret, stream_no, seq) VALUES (?, ?, ?, ?, ?, ?)');
    this.#uploaded = db.prepare('UPDATE objects SET uploaded_ms = ? WHERE hash = ?');
    this.#ofRecords = db.prepare(
      'SELECT hash, md5, size, ret FROM objects WHERE stream_no = ? AND seq BETWEEN ? AND ? AND uploaded_ms IS NULL ORDER BY seq',
    );
    this.#known = db.prepare('SELECT uploaded_ms FROM objects WHERE hash = ?');
    this.#move = db.prepare(
      `INSERT INTO objects(hash, md5, size, ret, stream_no, seq) VALUES (?, '', ?, ?, ?, ?)
       ON CONFLICT(hash) DO UPDATE SET ret = excluded.ret, stream_no = excluded.stream_no, seq = excluded.seq`,
    );
    this.#bytes = db.prepare('SELECT coalesce(sum(size), 0) AS bytes FROM objects');
  }

  /** Makes the directory and removes what was being staged when the last process died. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await this.#removeFiles((name) => name.startsWith(STAGING));
  }

  /** Removes what no row names. Rows that were lost MUST be back by then, and no damaged database may be left that names some. */
  removeUnnamed(): Promise<void> {
    return this.#removeFiles((name) => !this.isKnown(name));
  }

  async #removeFiles(isWaste: (name: string) => boolean): Promise<void> {
    for (const name of await readdir(this.#directory)) if (isWaste(name)) await unlink(join(this.#directory, name));
  }

  /** Bytes of all objects that rows name. */
  get bytes(): number {
    return (this.#bytes.get() as { bytes: number }).bytes;
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
    const temporary = join(this.#directory, `${STAGING}${process.pid}-${this.#staging}`);
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
    const directory = await open(this.#directory, 'r').catch(storageFailure);
    await directory.sync().catch(storageFailure);
    await directory.close();
  }

  /** Ties a staged object to the record that names it. Runs inside a transaction. */
  attach(object: StagedObject, { ret, streamNo, seq }: Place): void {
    this.#insert.run(object.hash, object.md5, object.size, ret, streamNo, seq);
  }

  /** Ties an object to another record, or to its own again if its row was lost. Runs inside a transaction. */
  move({ h, n }: BytesRef, { ret, streamNo, seq }: Place): void {
    this.#move.run(h, n, ret, streamNo, seq);
  }

  isKnown(hash: Hex256): boolean {
    return this.#known.get(hash) !== undefined;
  }

  isUploaded(hash: Hex256): boolean {
    const row = this.#known.get(hash) as { uploaded_ms: number | null } | undefined;
    return row !== undefined && row.uploaded_ms !== null;
  }

  /** Objects that records `first` to `last` of a stream name and that are not uploaded yet. */
  pending(streamNo: number, first: number, last: number): ObjectRow[] {
    return this.#ofRecords.all(streamNo, first, last) as unknown as ObjectRow[];
  }

  /** MD5 of an object's file, or null if the file is missing or no longer holds what its name says. */
  async check({ hash, size }: Pick<ObjectRow, 'hash' | 'size'>): Promise<string | null> {
    const sha256 = createHash('sha256');
    const md5 = createHash('md5');
    let read = 0;
    try {
      for await (const chunk of this.read(hash) as AsyncIterable<Buffer>) {
        sha256.update(chunk);
        md5.update(chunk);
        read += chunk.length;
      }
    } catch (error) {
      if (isMissingOrRotten(error)) return null;
      throw error;
    }
    return read === size && sha256.digest('hex') === hash ? md5.digest('base64') : null;
  }

  markUploaded(hash: Hex256, nowMs: number): void {
    this.#uploaded.run(nowMs, hash);
  }

  async remove(hash: Hex256): Promise<void> {
    await unlink(this.pathOf(hash)).catch(() => undefined);
  }
}

/** No space is known before anything counts, and passes; any other outcome is unknown. */
function storageFailure(cause: unknown): never {
  const got = codeOf(cause);
  const isFull = got === 'ENOSPC' || got === 'EDQUOT';
  throw new Failure(isFull ? 'spool/full' : 'spool/object-write', {
    expected: 'a durable file',
    got,
    fix: isFull ? 'free space on the spool volume' : 'look at the spool volume',
    cause,
  });
}

function isMissingOrRotten(error: unknown): boolean {
  return ['ENOENT', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '');
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
