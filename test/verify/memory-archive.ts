// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ArchiveReader, StoredVersion, VersionState } from '../../src/verify/reader.ts';

type Lock = NonNullable<VersionState['lock']>;

interface HeldVersion {
  readonly version: string;
  readonly bytes: Buffer;
  readonly deleteMarker: boolean;
  lock: Lock | null;
}

/** An archive in memory, with versions and locks as a bucket has them, that tests may change as no bucket lets anybody. */
export class MemoryArchive implements ArchiveReader {
  abilities = { versions: true, locks: true };
  /** Versions of each key, newest first. */
  readonly #objects: Map<string, HeldVersion[]>;
  #made = 0;
  /** Keys whose reading fails. */
  readonly broken = new Set<string>();

  constructor(objects: Map<string, HeldVersion[]> = new Map()) {
    this.#objects = objects;
  }

  /** The files of a folder, each as the only version of its key. */
  static async of(folder: string): Promise<MemoryArchive> {
    const archive = new MemoryArchive();
    for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(item.parentPath, item.name);
      const key = relative(folder, path);
      if (item.isFile() && !key.startsWith('.')) archive.put(key, await readFile(path));
    }
    return archive;
  }

  clone(): MemoryArchive {
    const copy = new MemoryArchive(
      new Map([...this.#objects].map(([key, versions]) => [key, versions.map((version) => ({ ...version }))])),
    );
    copy.abilities = this.abilities;
    copy.#made = this.#made;
    return copy;
  }

  keys(prefix = ''): string[] {
    return [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  /** The n-th key under a folder of the log, in order; from the end if n is negative. */
  key(folder: string, n: number): string {
    const key = this.keys()
      .filter((name) => name.includes(folder))
      .at(n);
    if (key === undefined) throw new Error(`no object ${n} in ${folder}`);
    return key;
  }

  /** The n-th key under a folder whose object holds a text. */
  keyWith(folder: string, text: string, n: number = 0): string {
    const key = this.keys()
      .filter((name) => name.includes(folder) && this.get(name).includes(text))
      .at(n);
    if (key === undefined) throw new Error(`no object ${n} in ${folder} with ${text}`);
    return key;
  }

  get(key: string): Buffer {
    return Buffer.from(this.#first(key)?.bytes ?? fail(key));
  }

  #first(key: string): HeldVersion | undefined {
    return this.#objects.get(key)?.findLast(({ deleteMarker }) => !deleteMarker);
  }

  /** Replaces the object: as if it had always been this. */
  put(key: string, bytes: Uint8Array | string, lock: Lock | null = this.#first(key)?.lock ?? null): void {
    this.#objects.set(key, [this.#version(Buffer.from(bytes), false, lock)]);
  }

  #version(bytes: Buffer, deleteMarker: boolean, lock: Lock | null): HeldVersion {
    this.#made += 1;
    return { version: `v${this.#made}`, bytes, deleteMarker, lock };
  }

  #versions(key: string): HeldVersion[] {
    return this.#objects.get(key) ?? fail(key);
  }

  remove(key: string): void {
    if (!this.#objects.delete(key)) fail(key);
  }

  /** A later version on top, as anybody with the right to put could add one. */
  addVersion(key: string, bytes: Uint8Array): void {
    this.#versions(key).unshift(this.#version(Buffer.from(bytes), false, null));
  }

  addDeleteMarker(key: string): void {
    this.#versions(key).unshift(this.#version(Buffer.alloc(0), true, null));
  }

  /** Gives the object a lock, or takes it away. */
  lock(key: string, lock: Lock | null): void {
    const object = this.#first(key) ?? fail(key);
    object.lock = lock;
  }

  async *listVersions(prefix: string, after = ''): AsyncGenerator<StoredVersion> {
    for (const key of this.keys(prefix)) {
      if (key <= after) continue;
      const versions = this.#objects.get(key) ?? [];
      const shown = this.abilities.versions ? versions : versions.filter(({ deleteMarker }) => !deleteMarker).slice(-1);
      for (const { version, bytes, deleteMarker } of shown) {
        yield { key, version: this.abilities.versions ? version : '', size: bytes.length, deleteMarker };
      }
    }
  }

  async readStream(key: string, version: string): Promise<AsyncIterable<Uint8Array>> {
    if (this.broken.has(key)) throw Object.assign(new Error('secret words'), { code: 'ECONNRESET' });
    const bytes = this.#find(key, version)?.bytes ?? fail(key);
    return (async function* () {
      // Chunks belong to the reader, so each is a copy.
      for (let at = 0; at < bytes.length; at += 50_000) yield Buffer.from(bytes.subarray(at, at + 50_000));
    })();
  }

  async state(key: string, version: string): Promise<VersionState | null> {
    const found = this.#find(key, version);
    if (found === undefined) return null;
    const lock = this.abilities.locks ? found.lock : null;
    return { version: found.version, size: found.bytes.length, lock, legalHold: false, sha256: null };
  }

  #find(key: string, version: string): HeldVersion | undefined {
    return version === '' ? this.#first(key) : this.#objects.get(key)?.find((held) => held.version === version);
  }
}

function fail(key: string): never {
  throw new Error(`no object ${key}`);
}
