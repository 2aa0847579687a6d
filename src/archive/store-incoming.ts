// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { type FileHandle, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../base/failure.ts';
import { type DurableFiles, openObject, removeOlder } from './store-files.ts';
import type { ObjectDigest } from './store.ts';

const CHUNK_BYTES = 1 << 18;
const PART_AGE_MS = 24 * 3_600_000;
const UPLOAD = /^([0-9a-f]{64})-(\d{1,15})$/;

/**
 * Where uploaders on the same machine leave granted objects: `.incoming/<key>/<sha256>-<size>`. An upload is copied while it is
 * hashed and only the copy is published, so whoever still holds the uploaded file open cannot change what was checked.
 */
export class Incoming {
  readonly #files: DurableFiles;
  readonly #folder: string;

  constructor(files: DurableFiles) {
    this.#files = files;
    this.#folder = join(files.root, '.incoming');
  }

  /** The path a grant names. The uploader writes `<path>.<random>.part` beside it, syncs it and renames it to the path. */
  async reserve(key: string, { sha256, size }: ObjectDigest): Promise<string> {
    const folder = join(this.#folder, key);
    await this.#files.ensureDirectory(folder);
    return join(folder, `${sha256}-${size}`);
  }

  /** Publishes the upload of `key` if one is there and is what its grant said; removes those that are not. */
  async accept(key: string, path: string): Promise<void> {
    for (const name of await namesIn(join(this.#folder, key))) {
      const granted = UPLOAD.exec(name);
      if (granted === null) continue;
      const upload = join(this.#folder, key, name);
      const staged = await this.#copyIfTrue(upload, granted[1] ?? '', Number(granted[2]));
      if (staged !== null) await this.#publish(staged, path);
      await rm(upload, { force: true });
    }
  }

  /** Uploads that were never finished. Finished ones stay until somebody asks for them. */
  async clean(nowMs: number): Promise<void> {
    await removeOlder(this.#folder, nowMs - PART_AGE_MS, (name) => name.endsWith('.part'));
  }

  async #publish(staged: string, path: string): Promise<void> {
    try {
      await this.#files.publishOnce(staged, path);
    } finally {
      await this.#files.discard(staged);
    }
  }

  async #copyIfTrue(upload: string, sha256: string, size: number): Promise<string | null> {
    const source = await openObject(upload);
    if (source === null) return null;
    try {
      if ((await source.stat()).size !== size) return null;
      const hash = createHash('sha256');
      let copied = 0;
      const staged = await this.#files.stage(async (copy) => {
        for await (const chunk of chunksOf(source)) {
          hash.update(chunk);
          copied += chunk.length;
          await copy.writeFile(chunk);
        }
      });
      if (copied === size && hash.digest('hex') === sha256) return staged;
      await this.#files.discard(staged);
      return null;
    } finally {
      await source.close();
    }
  }
}

/** The file from its beginning, in pieces that the consumer owns. Leaves the file open. */
export async function* chunksOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
