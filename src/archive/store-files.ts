// SPDX-License-Identifier: AGPL-3.0-or-later
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, Failure } from '../base/failure.ts';

const TEMPORARY_AGE_MS = 10 * 60_000;
const READ_ONLY = 0o444;

/**
 * Durable steps on one file system. A power cut between any two of them leaves either no file under the final name or the
 * whole one: bytes are synced before the name exists, the name before anybody is told.
 */
export class DurableFiles {
  readonly root: string;
  readonly #temporary: string;
  /** Directories whose own names this process has synced up to the root. */
  readonly #durable = new Set<string>();

  constructor(root: string) {
    this.root = root;
    this.#temporary = join(root, '.tmp');
  }

  /** A new synced file that nobody can write to any more. The caller publishes it and then discards it. */
  async stage(fill: (file: FileHandle) => Promise<void>): Promise<string> {
    await this.ensureDirectory(this.#temporary);
    const path = join(this.#temporary, randomUUID());
    try {
      await using file = await open(path, 'wx', 0o600);
      await fill(file);
      await file.chmod(READ_ONLY);
      await file.sync();
      return path;
    } catch (error) {
      await this.discard(path);
      throw error;
    }
  }

  async discard(staged: string): Promise<void> {
    await rm(staged, { force: true });
  }

  /** False if the name was taken. Either way the name is durable when this resolves. */
  async publishOnce(staged: string, path: string): Promise<boolean> {
    await this.ensureDirectory(dirname(path));
    let first = true;
    try {
      await link(staged, path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      first = false;
    }
    await syncDirectory(dirname(path));
    return first;
  }

  async publishLatest(staged: string, path: string): Promise<void> {
    await this.ensureDirectory(dirname(path));
    await rename(staged, path);
    await syncDirectory(dirname(path));
  }

  /** Another process may have made a directory and not synced its name yet, so existence alone is not trusted. */
  async ensureDirectory(path: string): Promise<void> {
    if (this.#durable.has(path)) return;
    await mkdir(path, { recursive: true });
    for (let at = path; at !== this.root && at !== dirname(at); at = dirname(at)) {
      await syncDirectory(dirname(at));
    }
    this.#durable.add(path);
  }

  /** What a crash left. Young files may belong to another process that is writing now. */
  async cleanTemporary(nowMs: number): Promise<void> {
    await removeOlder(this.#temporary, nowMs - TEMPORARY_AGE_MS, () => true);
  }
}

/** Never fails for want of rights: a reader may open an archive that it cannot clean. */
export async function removeOlder(folder: string, beforeMs: number, which: (name: string) => boolean): Promise<void> {
  try {
    for (const name of await readdir(folder, { recursive: true })) {
      const path = join(folder, name);
      const found = which(name) ? await stat(path) : null;
      if (found?.isFile() === true && found.mtimeMs < beforeMs) await rm(path, { force: true });
    }
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes(codeOf(error))) throw error;
  }
}

/** Null if there is no such file. Links are not followed: a name in the archive is the object itself. */
export async function openObject(path: string): Promise<FileHandle | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return null;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync();
}

/** Names the cause by its system code; a write that failed in any other way may have happened. */
export function fileFailure(error: unknown, where: string, stake: 'read' | 'write'): Failure {
  if (error instanceof Failure) return error;
  const got = codeOf(error);
  switch (got) {
    case 'EACCES':
    case 'EROFS':
      return new Failure('store/denied', { expected: 'rights on the archive’s directory', got, where });
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure('store/full', { expected: 'space for the object', got, where, fix: 'add space' });
    case 'EPERM':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'EMLINK':
    case 'EXDEV':
      return new Failure('store/no-ability', {
        expected: 'a single file system with hard links',
        got,
        where,
        fix: 'keep the archive on a local file system such as ext4 or XFS',
      });
    case 'EEXIST':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
      return new Failure('store/bad-key', { expected: 'a name that no folder or link has', got, where });
    case 'EMFILE':
    case 'ENFILE':
      return new Failure('store/unreachable', { expected: 'a free file descriptor', got, where });
    default:
      return stake === 'read'
        ? new Failure('store/unreachable', { expected: 'the object’s bytes', got, where })
        : new Failure('store/unknown-outcome', { expected: 'a durable write', got, where });
  }
}
