// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs';
import { lstat, open, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ArchiveReader, StoredVersion, VersionState } from './reader.ts';

/** Files up to this size come in one piece, which saves copying; larger ones in pieces of {@link PIECE_BYTES}. */
const ONE_PIECE_BYTES = 32 * 1024 * 1024;
const PIECE_BYTES = 4 * 1024 * 1024;
const STATS_AT_ONCE = 64;

/**
 * An archive in a folder: one that was written there, or the copy of a bucket. A folder shows neither locks nor versions. Dot names
 * are working areas and no part of the archive; links are not followed. Throws if the folder itself cannot be read.
 */
export async function openDirReader(path: string): Promise<ArchiveReader> {
  const root = resolve(path);
  if (!(await stat(root)).isDirectory()) throw new Error('not a folder');
  await readdir(root);
  return new DirReader(root);
}

class DirReader implements ArchiveReader {
  readonly abilities = { versions: false, locks: false };
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async *listVersions(prefix: string, after = ''): AsyncGenerator<StoredVersion> {
    for await (const { key, size } of this.#walk('', prefix, after)) {
      yield { key, version: '', size, deleteMarker: false };
    }
  }

  async readStream(key: string): Promise<AsyncIterable<Uint8Array>> {
    return this.#pieces(this.#path(key));
  }

  async state(key: string): Promise<VersionState | null> {
    const size = await sizeOf(this.#path(key));
    return size === null ? null : { version: '', size, lock: null, legalHold: false, sha256: null };
  }

  /** Keys are made of hashes and numbers; what climbs out of the folder is refused all the same. */
  #path(key: string): string {
    if (key.split('/').some((part) => part === '' || part.startsWith('.'))) throw new Error('not a key');
    return join(this.#root, key);
  }

  async *#pieces(path: string): AsyncGenerator<Uint8Array> {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    if (size <= ONE_PIECE_BYTES) {
      yield await file.readFile();
      return;
    }
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** Folders carry their slash while sorting, so that the order is that of a flat list of keys. */
  async *#walk(folder: string, prefix: string, after: string): AsyncGenerator<{ key: string; size: number }> {
    const names = await namesIn(join(this.#root, folder));
    const files: string[] = [];
    for (const name of names) {
      const key = folder + name;
      if (name.endsWith('/')) {
        yield* this.#sized(files.splice(0));
        if (key.startsWith(prefix) || prefix.startsWith(key)) yield* this.#walk(key, prefix, after);
      } else if (key.startsWith(prefix) && key > after) {
        files.push(key);
      }
    }
    yield* this.#sized(files);
  }

  async *#sized(keys: readonly string[]): AsyncGenerator<{ key: string; size: number }> {
    for (let at = 0; at < keys.length; at += STATS_AT_ONCE) {
      const some = keys.slice(at, at + STATS_AT_ONCE);
      const sizes = await Promise.all(some.map((key) => sizeOf(join(this.#root, key))));
      for (const [index, key] of some.entries()) {
        const size = sizes[index] ?? null;
        if (size !== null) yield { key, size };
      }
    }
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    const found = await readdir(path, { withFileTypes: true });
    return found
      .filter((item) => !item.name.startsWith('.') && (item.isDirectory() || item.isFile()))
      .map((item) => (item.isDirectory() ? `${item.name}/` : item.name))
      .toSorted((a, b) => (a < b ? -1 : 1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
