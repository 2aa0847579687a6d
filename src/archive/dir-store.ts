// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from '../base/failure.ts';
import { DurableFiles, fileFailure, openObject, syncDirectory } from './store-files.ts';
import { chunksOf, Incoming } from './store-incoming.ts';
import { assertDerived, assertKey, assertLocked, assertPrefix } from './store-key.ts';
import { untilDate, untilFrom } from './store-lock.ts';
import { walkFiles } from './store-walk.ts';
import {
  type ArchiveStore,
  type Created,
  type Lock,
  MAX_READ_BYTES,
  type ObjectDigest,
  type ObjectState,
  type ObjectVersion,
  type StoreAbilities,
  type StoredObject,
  type UploadGrant,
} from './store.ts';

const GRANT_MS = 3_600_000;

const DIRECTORY: StoreAbilities = {
  kind: 'directory',
  create: 'link',
  locks: false,
  legalHold: false,
  versions: false,
  checksumSha256: true,
  grants: true,
};

/** An archive in a directory of one local file system: create-once and read-only by mode, but not WORM, and it says so. */
export async function openDirStore(path: string, now: () => number = Date.now): Promise<ArchiveStore> {
  const root = resolve(path);
  try {
    const made = await mkdir(root, { recursive: true });
    if (made !== undefined) await syncDirectory(dirname(made));
    const files = new DurableFiles(root);
    const incoming = new Incoming(files);
    await files.cleanTemporary(now());
    await incoming.clean(now());
    return new DirStore(files, incoming, now);
  } catch (error) {
    throw fileFailure(error, 'the archive’s directory', 'read');
  }
}

class DirStore implements ArchiveStore {
  readonly abilities = DIRECTORY;
  readonly #files: DurableFiles;
  readonly #incoming: Incoming;
  readonly #now: () => number;

  constructor(files: DurableFiles, incoming: Incoming, now: () => number) {
    this.#files = files;
    this.#incoming = incoming;
    this.#now = now;
  }

  async create(key: string, bytes: Uint8Array, lock: Lock): Promise<Created> {
    assertLocked(key);
    untilDate(lock, key);
    return this.#writing(key, async () => {
      const staged = await this.#files.stage((file) => file.writeFile(bytes));
      try {
        const first = await this.#files.publishOnce(staged, this.#path(key));
        return { won: first || (await this.#holds(key, bytes)), version: '' };
      } finally {
        await this.#files.discard(staged);
      }
    });
  }

  async putDerived(key: string, bytes: Uint8Array): Promise<void> {
    assertDerived(key);
    await this.#writing(key, async () => {
      const staged = await this.#files.stage((file) => file.writeFile(bytes));
      await this.#files.publishLatest(staged, this.#path(key));
    });
  }

  async read(key: string): Promise<StoredObject | null> {
    assertKey(key);
    return this.#reading(key, async (file) => {
      const { size } = await file.stat();
      if (size > MAX_READ_BYTES) {
        throw new Failure('store/too-large', {
          expected: `at most ${MAX_READ_BYTES} bytes`,
          got: `${size}`,
          where: key,
        });
      }
      return { bytes: await file.readFile(), version: '' };
    });
  }

  async readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>> {
    assertKey(key);
    const there = version === '' && (await this.#reading(key, async () => true)) === true;
    if (!there) throw new Failure('store/not-found', { expected: 'an object', got: 'none', where: key });
    return this.#stream(key);
  }

  async *listVersions(prefix: string, after = ''): AsyncGenerator<ObjectVersion> {
    assertPrefix(prefix);
    try {
      for await (const { key, size } of walkFiles(this.#files.root, prefix, after)) {
        yield { key, version: '', size, deleteMarker: false, latest: true };
      }
    } catch (error) {
      throw fileFailure(error, 'a listing', 'read');
    }
  }

  /** Takes in an upload of `key` that was granted and has arrived. Hashes the file each time: nobody else keeps the hash. */
  async state(key: string, version: string): Promise<ObjectState | null> {
    assertKey(key);
    if (version !== '') return null;
    const present = await this.#describe(key);
    if (present !== null) return present;
    await this.#writing(key, () => this.#incoming.accept(key, this.#path(key)));
    return this.#describe(key);
  }

  async extend(key: string): Promise<void> {
    throw noAbility('retention periods', key);
  }

  async setLegalHold(key: string): Promise<void> {
    throw noAbility('legal holds', key);
  }

  async grant(key: string, digest: ObjectDigest, lock: Lock): Promise<UploadGrant> {
    assertLocked(key);
    untilDate(lock, key);
    const path = await this.#writing(key, () => this.#incoming.reserve(key, digest));
    const { sha256, size } = digest;
    return {
      key,
      sha256,
      size,
      url: pathToFileURL(path).href,
      headers: {},
      expires: untilFrom(this.#now() + GRANT_MS),
    };
  }

  async serverTimeMs(): Promise<number> {
    return this.#now();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #path(key: string): string {
    return join(this.#files.root, key);
  }

  async #holds(key: string, bytes: Uint8Array): Promise<boolean> {
    const same = await this.#reading(key, async (file) => {
      return (await file.stat()).size === bytes.length && (await file.readFile()).equals(bytes);
    });
    if (same !== null) return same;
    throw new Failure('store/bad-key', { expected: 'a name that no folder has', got: 'a folder', where: key });
  }

  async #describe(key: string): Promise<ObjectState | null> {
    return this.#reading(key, async (file) => {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of chunksOf(file)) {
        hash.update(chunk);
        size += chunk.length;
      }
      return { key, version: '', size, lock: null, legalHold: false, sha256: hash.digest('hex') };
    });
  }

  /** Opens the file when the first chunk is asked for, so that a stream nobody reads holds nothing. */
  async *#stream(key: string): AsyncGenerator<Uint8Array> {
    try {
      await using file = await openObject(this.#path(key));
      if (file === null) throw new Failure('store/not-found', { expected: 'an object', got: 'none', where: key });
      yield* chunksOf(file);
    } catch (error) {
      throw fileFailure(error, key, 'read');
    }
  }

  async #reading<T>(key: string, use: (file: FileHandle) => Promise<T>): Promise<T | null> {
    try {
      await using file = await openObject(this.#path(key));
      return file === null ? null : await use(file);
    } catch (error) {
      throw fileFailure(error, key, 'read');
    }
  }

  async #writing<T>(key: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw fileFailure(error, key, 'write');
    }
  }
}

function noAbility(what: string, where: string): Failure {
  return new Failure('store/no-ability', {
    expected: `a store with ${what}`,
    got: 'a directory',
    where,
    fix: 'keep the archive in a bucket with Object Lock',
  });
}
