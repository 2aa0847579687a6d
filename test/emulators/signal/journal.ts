// SPDX-License-Identifier: AGPL-3.0-or-later

import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface JournalOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly backups: number;
}

/** One write of the daemon to its standard output: longer lines reach the file in pieces. */
const pieceBytes = 8192;

/**
 * `out.log` as supervisord keeps it: appended to, and once it has reached `maxBytes` renamed to `out.log.1` (the older
 * ones move up by one, the oldest is deleted), with a fresh file in its place. The size is looked at after each piece,
 * not after each line, so a line longer than a piece can begin in one file and end in the next.
 */
export class Journal {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #backups: number;
  #file: number | undefined;

  constructor(options: JournalOptions) {
    this.path = options.path;
    this.#maxBytes = options.maxBytes;
    this.#backups = options.backups;
  }

  /** Opens the file for appending, as after a restart of the container. */
  open(): void {
    mkdirSync(dirname(this.path), { recursive: true });
    this.#file ??= openSync(this.path, 'a');
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Writes text as it is: a log line, a torn line, garbage. */
  write(text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (this.#file === undefined) return;
      writeSync(this.#file, bytes.subarray(at, at + pieceBytes));
      if (this.#maxBytes > 0 && fstatSync(this.#file).size >= this.#maxBytes) this.rotate();
    }
  }

  writeLine(line: string): void {
    this.write(`${line}\n`);
  }

  /** Rotates now, whatever the size. */
  rotate(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    if (this.#backups > 0) {
      for (let number = this.#backups - 1; number >= 1; number -= 1) {
        this.#move(`${this.path}.${number}`, `${this.path}.${number + 1}`);
      }
      this.#move(this.path, `${this.path}.1`);
    }
    this.#file = openSync(this.path, 'w');
  }

  #move(from: string, to: string): void {
    if (!existsSync(from)) return;
    rmSync(to, { force: true });
    renameSync(from, to);
  }
}
