// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../base/failure.ts';

export interface WalkedFile {
  readonly key: string;
  readonly size: number;
}

/**
 * Files under `root` whose keys begin with `prefix` and are greater than `after`, in the byte order of their keys, which is the
 * order of S3. Holds one folder's names at a time per level. Dot names are the store's own and stay out.
 */
export async function* walkFiles(root: string, prefix: string, after: string): AsyncGenerator<WalkedFile> {
  yield* walkFolder(root, '', prefix, after);
}

async function* walkFolder(root: string, folder: string, prefix: string, after: string): AsyncGenerator<WalkedFile> {
  for (const name of await sortedNames(join(root, folder))) {
    const key = folder + name;
    if (name.endsWith('/')) {
      const relevant = key.startsWith(prefix) || prefix.startsWith(key);
      if (relevant && !allAtMost(key, after)) yield* walkFolder(root, key, prefix, after);
    } else if (key.startsWith(prefix) && key > after) {
      const size = await sizeOf(join(root, key));
      if (size !== null) yield { key, size };
    }
  }
}

/** Folders carry their slash while sorting: `a-b` comes before `a/…`, as in a flat list of keys. */
async function sortedNames(path: string): Promise<string[]> {
  try {
    const found = await readdir(path, { withFileTypes: true });
    return found
      .filter((item) => !item.name.startsWith('.') && (item.isDirectory() || item.isFile()))
      .map((item) => (item.isDirectory() ? `${item.name}/` : item.name))
      .toSorted((a, b) => (a < b ? -1 : 1));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** True if no key inside the folder can be greater than `after`. */
function allAtMost(folder: string, after: string): boolean {
  return after > folder && !after.startsWith(folder);
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
