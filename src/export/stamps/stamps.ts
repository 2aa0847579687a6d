// SPDX-License-Identifier: AGPL-3.0-or-later
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, Failure } from '../../base/failure.ts';
import { pemBlock } from '../../base/pem.ts';
import { sha256Hex } from '../../record/hash.ts';
import type { StoredTimeStamp } from '../../record/time-stamp.ts';
import { syncPath } from '../staging.ts';

/** Beside what the manifest names: what is over the manifest itself, and comes later, from others. The same export may have other stamps. */
export const STAMPS_FOLDER = 'stamps';
const TOKEN = /^([0-9a-f]{16})\.token$/;
const NAME_DIGITS = 16;
const MAX_STAMP_BYTES = 16 * 1024 * 1024;

/** Names within the export of what lies in its folder of stamps, what is half written excepted. */
export async function stampNames(folder: string): Promise<string[]> {
  try {
    const found = await readdir(join(folder, STAMPS_FOLDER));
    return found
      .filter((name) => !name.startsWith('.'))
      .toSorted()
      .map((name) => `${STAMPS_FOLDER}/${name}`);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What people read with `openssl`: the token as it came, and beside it chain and revocation lists in PEM. Throws `export/write`. */
export async function keepStamp(folder: string, { token, certificates, crls }: StoredTimeStamp): Promise<string> {
  const name = `${STAMPS_FOLDER}/${sha256Hex(token).slice(0, NAME_DIGITS)}`;
  const pem = [
    ...certificates.map((der) => pemBlock('CERTIFICATE', der)),
    ...crls.map((der) => pemBlock('X509 CRL', der)),
  ];
  // The token last: it counts only with what checks it.
  await keepFiles(folder, [
    [`${name}.pem`, Buffer.from(pem.join(''))],
    [`${name}.token`, token],
  ]);
  return `${name}.token`;
}

/** Files of this folder, one after the other, each whole or as it was before. Throws `export/write`. */
export async function keepFiles(folder: string, files: readonly (readonly [string, Uint8Array])[]): Promise<void> {
  try {
    await mkdir(join(folder, STAMPS_FOLDER), { recursive: true, mode: 0o700 });
    for (const [name, bytes] of files) await put(folder, name, bytes);
    await syncPath(join(folder, STAMPS_FOLDER));
  } catch (cause) {
    throw unwritten(folder, cause);
  }
}

function unwritten(where: string, cause: unknown): Failure {
  return new Failure('export/write', {
    expected: 'to write a stamp into the export',
    got: codeOf(cause),
    where,
    fix: 'make room or mend the rights, then `holdfast export stamp` it again',
    cause,
  });
}

async function put(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const path = join(folder, name);
  const half = join(folder, STAMPS_FOLDER, `.${name.slice(STAMPS_FOLDER.length + 1)}`);
  const handle = await open(half, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(half, path);
}

/** A token of the folder with what lies beside it; null for a name that is no token's. Throws `RangeError` for what is no stamp. */
export async function readStamp(folder: string, name: string, checkpoint: string): Promise<StoredTimeStamp | null> {
  const found = TOKEN.exec(name.slice(STAMPS_FOLDER.length + 1));
  if (found === null) return null;
  const token = await readFileOf(folder, name);
  const pem = (await readFileOf(folder, name.replace(/\.token$/, '.pem'))).toString('latin1');
  if (!sha256Hex(token).startsWith(found[1] as string)) throw new RangeError('a token of that name');
  return { checkpoint, token, certificates: ders('CERTIFICATE', pem), crls: ders('X509 CRL', pem) };
}

async function readFileOf(folder: string, name: string): Promise<Buffer> {
  const path = join(folder, name);
  const found = await lstat(path).catch(() => null);
  if (found?.isFile() !== true || found.size > MAX_STAMP_BYTES) throw new RangeError('a plain file, not too large');
  return await readFile(path, { flag: constants.O_RDONLY | constants.O_NOFOLLOW });
}

function ders(what: string, pem: string): Buffer[] {
  const found = pem.matchAll(new RegExp(`-----BEGIN ${what}-----([A-Za-z0-9+/=\\s]+)-----END ${what}-----`, 'g'));
  return [...found].map(([, base64 = '']) => Buffer.from(base64, 'base64'));
}
