// SPDX-License-Identifier: AGPL-3.0-or-later
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOf, Failure } from '../base/failure.ts';
import { openDirReader } from '../verify/dir-reader.ts';
import type { RangedReader } from '../export/files/ranged-reader.ts';
import type { S3Settings } from './stores.ts';

export interface OpenedReader extends AsyncDisposable {
  readonly reader: RangedReader;
}

/** Opens an archive for reading only: a directory's path, `file:///directory` or `s3://bucket/prefix`. Nothing is probed or written. */
export async function openReader(url: string, s3: S3Settings | null): Promise<OpenedReader> {
  const directory = directoryOf(url);
  if (directory !== null) {
    try {
      return { reader: await openDirReader(directory), [Symbol.asyncDispose]: async () => undefined };
    } catch (cause) {
      throw new Failure('store/not-found', {
        expected: 'an archive in a directory',
        got: codeOf(cause),
        where: url,
        fix: 'name the directory that holds `log/`, or what your copy of it is called',
        cause,
      });
    }
  }
  if (!url.startsWith('s3:') || s3 === null) {
    throw new Failure('config/missing-part', {
      expected: 'a directory, or s3://bucket/prefix with --credentials',
      got: url.startsWith('s3:') ? 'a bucket without credentials' : 'something else',
      where: url,
      fix: 'write the path of a directory, or file:///DIRECTORY; for a bucket name --credentials too',
    });
  }
  // Loaded only when it is needed: an auditor's directory takes no S3 client.
  const [{ openS3Store, UNPROBED }, { s3Config }] = await Promise.all([
    import('../archive/s3-store.ts'),
    import('./stores.ts'),
  ]);
  const store = await openS3Store(s3Config(url, s3), UNPROBED);
  const reader: RangedReader = {
    // What a bucket really keeps shows in each version; verify holds it against what the log says.
    abilities: { versions: true, locks: true },
    listVersions: (prefix, after) => store.listVersions(prefix, after),
    readStream: (key, version) => store.readStream(key, version),
    readFrom: (key, version, from) => store.readFrom(key, version, from),
    state: (key, version) => store.state(key, version),
  };
  return { reader, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

/** Null for what is no directory's address. Throws `config/missing-part` for a file:// that names a host. */
function directoryOf(url: string): string | null {
  if (!/^[a-z][a-z0-9+.-]+:/i.test(url)) return resolve(url);
  if (!url.startsWith('file:')) return null;
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new Failure('config/missing-part', {
      expected: 'file:///directory, with three strokes',
      got: codeOf(cause),
      where: url,
      fix: 'write file:///DIRECTORY with its whole path, or the plain path of the directory',
      cause,
    });
  }
}
