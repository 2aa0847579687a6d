// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { dirname, join } from 'node:path';
import { codeOf, Failure } from '../base/failure.ts';

/** A finished file of the export. */
export interface WrittenFile {
  /** Path within the export, `/` between its parts. */
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

const PIECE_BYTES = 1 << 18;
/** A file system writes what waits together at once. */
const SYNCED_AT_ONCE = 32;

/**
 * Where an export is written: in `OUT.partial`, which becomes `OUT` at once and only when all of it is on the disk. What was finished
 * is noted in a journal, so that the same export, interrupted, goes on; a different one starts anew.
 *
 * The journal is not trusted: what it names counts only if its bytes have the hash it says, so that nothing need be fsynced file by file.
 * All is, before the rename. A crash at any time leaves `OUT.partial`, never `OUT`.
 */
export class Staging implements AsyncDisposable {
  readonly #out: string;
  readonly #partial: string;
  readonly #work: string;
  readonly #lock: DatabaseSync;
  readonly #finished = new Map<string, WrittenFile>();
  /** Folders that are there. */
  readonly #folders = new Set<string>();
  /** Open for as long as this is, so that noting a file is one call of the system. */
  #journalHandle: number | null = null;

  private constructor(out: string, lock: DatabaseSync) {
    this.#out = out;
    this.#partial = partialOf(out);
    this.#work = join(this.#partial, 'export');
    this.#lock = lock;
  }

  /**
   * `fingerprint` says which export this is: what was finished for another one is deleted. Throws `export/exists`, `export/in-use`,
   * `export/write`.
   */
  static async open(out: string, fingerprint: string): Promise<Staging> {
    return written(out, async () => {
      await assertFree(out);
      await mkdir(partialOf(out), { recursive: true, mode: 0o700 });
      const staging = new Staging(out, lockedIn(partialOf(out)));
      try {
        await staging.#recover(fingerprint);
      } catch (error) {
        await staging[Symbol.asyncDispose]();
        throw error;
      }
      return staging;
    });
  }

  async #recover(fingerprint: string): Promise<void> {
    const [head, ...lines] = await journalLines(this.#journal);
    if (head !== fingerprint) {
      await rm(this.#work, { recursive: true, force: true });
      await rm(this.#journal, { force: true });
      await append(this.#journal, fingerprint);
    } else {
      for (const line of lines) {
        const file = asWritten(line);
        if (file !== null && (await this.#isWhole(file))) this.#finished.set(file.name, file);
      }
    }
    await mkdir(this.#work, { recursive: true, mode: 0o700 });
    this.#journalHandle = openSync(this.#journal, 'a', 0o600);
  }

  get #journal(): string {
    return join(this.#partial, 'journal');
  }

  async #isWhole({ name, size, sha256 }: WrittenFile): Promise<boolean> {
    const path = this.pathOf(name);
    try {
      if ((await stat(path)).size !== size) return false;
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
      return hash.digest('hex') === sha256;
    } catch {
      return false;
    }
  }

  /** Where a file of the export lies until the export is whole. */
  pathOf(name: string): string {
    return join(this.#work, ...name.split('/'));
  }

  /** Null unless it was finished, in this run or in one that was interrupted. */
  finished(name: string): WrittenFile | null {
    return this.#finished.get(name) ?? null;
  }

  /** Every finished file, by name. */
  get files(): WrittenFile[] {
    return [...this.#finished.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Writes a file, unless it is finished already. If `bytes` throws, nothing of it stays. Throws what `bytes` throws, and
   * `export/write`.
   */
  async write(name: string, bytes: () => AsyncIterable<Uint8Array | string>): Promise<WrittenFile> {
    const known = this.#finished.get(name);
    if (known !== undefined) return known;
    const path = this.pathOf(name);
    await this.#folder(dirname(path));
    const file = { name, ...(await this.#fill(path, bytes())) };
    await written(path, async () => this.#note(file));
    this.#finished.set(name, file);
    return file;
  }

  async #folder(path: string): Promise<void> {
    if (this.#folders.has(path)) return;
    await written(path, () => mkdir(path, { recursive: true, mode: 0o700 }));
    this.#folders.add(path);
  }

  #note(file: WrittenFile): void {
    if (this.#journalHandle === null) throw new RangeError('a staging that is open');
    writeWhole(this.#journalHandle, Buffer.from(`${JSON.stringify(file)}\n`));
  }

  async #fill(path: string, bytes: AsyncIterable<Uint8Array | string>): Promise<{ size: number; sha256: string }> {
    const hash = createHash('sha256');
    let size = 0;
    // Thousands of files are small: what the system does at once is quicker than to be told when it is done.
    const handle = await written(path, async () => openSync(path, 'w', 0o600));
    try {
      for await (const piece of inPieces(bytes)) {
        hash.update(piece);
        size += piece.length;
        await written(path, async () => writeWhole(handle, piece));
      }
    } catch (error) {
      closeSync(handle);
      await rm(path, { force: true });
      throw error;
    }
    await written(path, async () => closeSync(handle));
    return { size, sha256: hash.digest('hex') };
  }

  /** The export becomes whole: from now on it is there under its name, or, after a crash, not yet. */
  async finish(): Promise<void> {
    await written(this.#out, async () => {
      await assertFree(this.#out);
      await this.#syncAll();
      await rename(this.#work, this.#out);
      await syncPath(dirname(this.#out));
      await rm(this.#partial, { recursive: true, force: true });
    });
  }

  async #syncAll(): Promise<void> {
    const paths = this.files.map(({ name }) => this.pathOf(name));
    for (let at = 0; at < paths.length; at += SYNCED_AT_ONCE) {
      await Promise.all(paths.slice(at, at + SYNCED_AT_ONCE).map(syncPath));
    }
    for (const directory of new Set([this.#work, ...paths.map((path) => dirname(path))])) await syncPath(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#journalHandle !== null) closeSync(this.#journalHandle);
    this.#journalHandle = null;
    this.#lock.close();
  }
}

const partialOf = (out: string): string => `${out}.partial`;

async function assertFree(out: string): Promise<void> {
  try {
    await stat(out);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  throw new Failure('export/exists', {
    expected: 'a place where nothing is yet',
    got: 'something',
    where: out,
    fix: 'name another folder with --out, or remove this one: an export never writes over anything',
  });
}

/** The lock is the system's: it ends with the process, however that ends. */
export function lockedIn(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 1; COMMIT;');
    return lock;
  } catch (cause) {
    lock.close();
    throw new Failure('export/in-use', {
      expected: 'to be the only process that writes exports here',
      got: 'another one that does',
      where: folder,
      fix: 'let that one end, or name another folder',
      cause,
    });
  }
}

async function journalLines(path: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The last line of a journal may be torn. */
function asWritten(line: string): WrittenFile | null {
  try {
    const { name, size, sha256 } = JSON.parse(line) as WrittenFile;
    return typeof name === 'string' && typeof size === 'number' && typeof sha256 === 'string'
      ? { name, size, sha256 }
      : null;
  } catch {
    return null;
  }
}

async function append(path: string, line: string): Promise<void> {
  const handle = await open(path, 'a', 0o600);
  try {
    await handle.writeFile(`${line}\n`);
  } finally {
    await handle.close();
  }
}

function writeWhole(handle: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at);
}

/** A file, or a directory with the names in it. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Small writes put together: a line of text is no reason to ask the system. */
async function* inPieces(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let held = 0;
  for await (const one of source) {
    const bytes = typeof one === 'string' ? Buffer.from(one, 'utf8') : Buffer.from(one);
    parts.push(bytes);
    held += bytes.length;
    if (held < PIECE_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    held = 0;
  }
  if (held > 0) yield Buffer.concat(parts);
}

/** What the disk refuses is said with what to do about it. */
async function written<T>(where: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure('export/write', {
      expected: 'to write the export',
      got: codeOf(cause),
      where,
      fix: 'make room or mend the rights, then run the same command again: it goes on where it ended',
      cause,
    });
  }
}
