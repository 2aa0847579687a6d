// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { entryIdHex } from '../record/entry.ts';

const NAME = /^([0-9a-f]{64})\.entry$/;

/**
 * Signed entries that name no document, between who signed them and the log: one file each, named by the entry's id, on the disk before
 * `put` returns. Whoever has a way to the archiver sends them again and again; they go once the log is seen to have them.
 */
export class EntryBox {
  readonly #directory: string;

  constructor(spool: string) {
    this.#directory = join(spool, 'entries');
  }

  put(line: string): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(entryIdHex(line));
    const file = openSync(`${path}.part`, 'w', 0o600);
    try {
      writeSync(file, line);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.part`, path);
    const directory = openSync(this.#directory, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }

  waiting(): string[] {
    return this.#ids().map((id) => readFileSync(this.#path(id), 'latin1'));
  }

  /** Removes what the log has; it is asked only if something waits. */
  sweep(logged: () => readonly { readonly id: string }[]): void {
    const waiting = this.#ids();
    if (waiting.length === 0) return;
    const known = new Set(logged().map(({ id }) => id));
    for (const id of waiting) if (known.has(id)) rmSync(this.#path(id), { force: true });
  }

  #ids(): string[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .flatMap((name) => NAME.exec(name)?.[1] ?? [])
      .toSorted();
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.entry`);
  }
}
