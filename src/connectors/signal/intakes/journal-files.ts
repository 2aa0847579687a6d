// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** One file of the journal. Numbers may be reused by the file system, so the first bytes count too. */
export interface JournalFile {
  readonly path: string;
  readonly dev: string;
  readonly ino: string;
  readonly size: number;
}

/** A place in the journal: behind the last line that is archived. */
export interface Position {
  readonly dev: string;
  readonly ino: string;
  readonly offset: number;
  /** Length and SHA-256 of the file's first bytes, as far as they were there. */
  readonly headBytes: number;
  readonly head: string;
  /** When the journal was last known to be read up to here. */
  readonly atMs: number;
}

/** Where to go on: `lost` if what followed the position may be gone. */
export interface Found {
  readonly at: number;
  readonly offset: number;
  readonly lost: boolean;
}

const HEAD_BYTES = 1024;
/** Fewer first bytes do not tell one file from another. */
const TELLING_BYTES = 128;
const MOST_LOOKS = 5;

/** The journal's files, oldest first: `out.log.2`, `out.log.1`, `out.log`. Looks again while a rotation is under way. */
export async function listJournal(path: string): Promise<JournalFile[]> {
  let files = await listOnce(path);
  for (let look = 1; look < MOST_LOOKS; look += 1) {
    const again = await listOnce(path);
    if (keysOf(again) === keysOf(files)) return again;
    files = again;
  }
  return files;
}

async function listOnce(path: string): Promise<JournalFile[]> {
  const directory = dirname(path);
  const name = basename(path);
  // A container that was never started has no log directory yet.
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const numbered = names.flatMap((entry) => {
    const number = entry === name ? 0 : numberOf(entry, name);
    return number === null ? [] : [{ number, path: join(directory, entry) }];
  });
  const files: JournalFile[] = [];
  for (const one of numbered.toSorted((a, b) => b.number - a.number)) {
    const found = await stat(one.path, { bigint: true }).catch(() => null);
    if (found === null || !found.isFile()) continue;
    files.push({ path: one.path, dev: String(found.dev), ino: String(found.ino), size: Number(found.size) });
  }
  return files;
}

function numberOf(entry: string, name: string): number | null {
  if (!entry.startsWith(`${name}.`)) return null;
  const suffix = entry.slice(name.length + 1);
  return /^[1-9]\d{0,3}$/.test(suffix) ? Number(suffix) : null;
}

function keysOf(files: readonly JournalFile[]): string {
  return files.map(({ dev, ino }) => `${dev}:${ino}`).join(' ');
}

/** The fingerprint of a file whose first `offset` bytes are final. */
export async function headOf(file: FileHandle, offset: number): Promise<Pick<Position, 'headBytes' | 'head'>> {
  const wanted = Math.min(offset, HEAD_BYTES);
  const head = Buffer.alloc(wanted);
  const { bytesRead } = await file.read(head, 0, wanted, 0);
  return { headBytes: bytesRead, head: createHash('sha256').update(head.subarray(0, bytesRead)).digest('hex') };
}

/** Finds a position again, in whatever file it is by now. Null: there is no journal. */
export async function findPosition(files: readonly JournalFile[], position: Position): Promise<Found | null> {
  if (files.length === 0) return null;
  const same: number[] = [];
  for (const [at, file] of files.entries()) if (await holds(file, position)) same.push(at);
  const exact = same.find((at) => files[at]?.ino === position.ino && files[at]?.dev === position.dev);
  // A volume that was copied or restored has other numbers, but the same bytes.
  const found = exact ?? (position.headBytes >= TELLING_BYTES ? same[0] : undefined);
  if (found !== undefined) return { at: found, offset: position.offset, lost: false };
  // Everything that is left is read again: what was read before folds.
  return { at: 0, offset: 0, lost: true };
}

async function holds(file: JournalFile, { offset, headBytes, head }: Position): Promise<boolean> {
  if (file.size < offset) return false;
  const handle = await open(file.path, 'r').catch(() => null);
  if (handle === null) return false;
  try {
    const actual = await headOf(handle, headBytes);
    return actual.headBytes === headBytes && actual.head === head;
  } finally {
    await handle.close();
  }
}
