// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Writes a file that is not there yet; its bytes are on the disk when this returns, its name once the directory is synced. */
export function writeSynced(path: string, text: string, mode: number, flag: 'w' | 'wx' = 'wx'): void {
  const file = openSync(path, flag, mode);
  try {
    // Writes all of it: `writeSync` may write less, and say so in a number.
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Of a file its bytes, of a directory its names: on the disk when this returns. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A directory is there after a power cut only once its parent was synced. */
export function makeDirectory(directory: string): void {
  const path = resolve(directory);
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    syncPath(dirname(made));
    if (made === resolve(first)) return;
  }
}

/** Under its name stand the old bytes or the new ones, whole; the new ones when this returns. */
export function replaceSynced(path: string, text: string, mode: number): void {
  writeSynced(`${path}.part`, text, mode, 'w');
  renameSync(`${path}.part`, path);
  syncPath(dirname(path));
}

/** A directory of small files, one for each id, of mode 0600; made with the first one. What a crash left half written counts for nothing. */
export class DurableFolder {
  readonly #directory: string;
  readonly #ending: string;

  /** `ending` with its dot. Ids are 64 hex digits: they make no paths. */
  constructor(directory: string, ending: string) {
    this.#directory = directory;
    this.#ending = ending;
  }

  /** On the disk, name and all, when this returns. */
  put(id: string, text: string): void {
    makeDirectory(this.#directory);
    replaceSynced(this.path(id), text, 0o600);
  }

  ids(): string[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .filter((name) => name.length === 64 + this.#ending.length && name.endsWith(this.#ending))
      .map((name) => name.slice(0, 64))
      .filter((id) => /^[0-9a-f]{64}$/.test(id))
      .toSorted();
  }

  remove(id: string): void {
    rmSync(this.path(id), { force: true });
  }

  path(id: string): string {
    return join(this.#directory, `${id}${this.#ending}`);
  }
}
