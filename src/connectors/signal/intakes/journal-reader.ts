// SPDX-License-Identifier: AGPL-3.0-or-later
import { open, type FileHandle } from 'node:fs/promises';
import { LineSplitter } from './journal-lines.ts';
import { findPosition, headOf, listJournal, type JournalFile, type Position } from './journal-files.ts';

/** Lines read in one go, and the position behind the last of them. */
export interface Lines {
  /** `null`: a line that was too long. */
  readonly lines: readonly (Uint8Array | null)[];
  readonly position: Position;
}

type Anchor = Omit<Position, 'atMs'>;

const CHUNK_BYTES = 256 * 1024;

/**
 * Follows the journal through its rotations as one stream of lines: a line that begins in one file and ends in the next is one line.
 * Owns a file handle; the handle of a renamed file still reads it to its end.
 */
export class JournalReader implements AsyncDisposable {
  readonly #path: string;
  readonly #splitter: LineSplitter;
  readonly #clock: () => number;
  #handle: FileHandle;
  #file: JournalFile;
  #readAt: number;
  /** Behind the last complete line. Stays in an older file while a line spans two. */
  #anchor: Anchor;
  /** True if files between two that were read are gone, or the file shrank. */
  lost: boolean;

  private constructor(parts: {
    path: string;
    mostLineBytes: number;
    clock: () => number;
    handle: FileHandle;
    file: JournalFile;
    anchor: Anchor;
    lost: boolean;
  }) {
    this.#path = parts.path;
    this.#splitter = new LineSplitter(parts.mostLineBytes);
    this.#clock = parts.clock;
    this.#handle = parts.handle;
    this.#file = parts.file;
    this.#readAt = parts.anchor.offset;
    this.#anchor = parts.anchor;
    this.lost = parts.lost;
  }

  /** Opens where `position` was, in whatever file that is now; the oldest file without a position. Null: no journal yet. */
  static async open(
    options: { readonly path: string; readonly mostLineBytes: number; readonly clock: () => number },
    position: Position | null,
  ): Promise<JournalReader | null> {
    const files = await listJournal(options.path);
    const found = position === null ? { at: 0, offset: 0, lost: false } : await findPosition(files, position);
    const file = found === null ? undefined : files[found.at];
    if (found === null || file === undefined) return null;
    const handle = await open(file.path, 'r');
    const actual = await identity(handle);
    // Renamed between looking and opening: look again.
    if (actual.ino !== file.ino || actual.dev !== file.dev) {
      await handle.close();
      return JournalReader.open(options, position);
    }
    const anchor = { dev: file.dev, ino: file.ino, offset: found.offset, ...(await headOf(handle, found.offset)) };
    return new JournalReader({ ...options, handle, file, anchor, lost: found.lost });
  }

  get position(): Position {
    return { ...this.#anchor, atMs: this.#clock() };
  }

  /** The next lines; null at the end of the journal. */
  async read(): Promise<Lines | null> {
    for (;;) {
      const lines = await this.#readHere();
      if (lines !== null) return lines;
      const next = await this.#next();
      if (next === null) return null;
      // What was written to the old file between its end and its renaming.
      const rest = await this.#readHere();
      if (rest !== null) return rest;
      await this.#switchTo(next);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #readHere(): Promise<Lines | null> {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await this.#handle.read(chunk, 0, CHUNK_BYTES, this.#readAt);
    if (bytesRead === 0) return null;
    const lines: (Uint8Array | null)[] = [];
    let end: number | null = null;
    for (const one of this.#splitter.feed(chunk.subarray(0, bytesRead))) {
      lines.push(one.line);
      end = this.#readAt + one.end;
    }
    this.#readAt += bytesRead;
    if (end !== null) {
      const { dev, ino } = this.#file;
      this.#anchor = { dev, ino, offset: end, ...(await headOf(this.#handle, end)) };
    }
    return { lines, position: this.position };
  }

  /** The file behind this one, if this one is finished. Notes a loss where the chain is broken. */
  async #next(): Promise<JournalFile | null> {
    const files = await listJournal(this.#path);
    const own = files.findIndex(({ dev, ino }) => dev === this.#file.dev && ino === this.#file.ino);
    if (own < 0) {
      if (files[0] !== undefined) this.lost = true;
      return files[0] ?? null;
    }
    if (own < files.length - 1) return files[own + 1] ?? null;
    const live = files[own] as JournalFile;
    if (live.size >= this.#readAt) return null;
    this.lost = true;
    return live;
  }

  async #switchTo(file: JournalFile): Promise<void> {
    const handle = await open(file.path, 'r');
    const actual = await identity(handle);
    await this.#handle.close();
    this.#handle = handle;
    this.#file = { ...file, ...actual };
    this.#readAt = 0;
    // A line that began in the old file still counts from there.
    if (this.#splitter.heldBytes === 0) this.#anchor = { ...actual, offset: 0, ...(await headOf(handle, 0)) };
  }
}

async function identity(handle: FileHandle): Promise<Pick<JournalFile, 'dev' | 'ino'>> {
  const { dev, ino } = await handle.stat({ bigint: true });
  return { dev: String(dev), ino: String(ino) };
}
