// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DurableFolder } from '../base/durable-file.ts';
import { entryIdHex } from '../record/entry.ts';

/**
 * Signed entries that name no document, between who signed them and the log: one file each, named by the entry's id, on the disk before
 * `put` returns. Whoever has a way to the archiver sends them again and again; they go once the log is seen to have them.
 */
export class EntryBox {
  readonly #folder: DurableFolder;

  constructor(spool: string) {
    this.#folder = new DurableFolder(join(spool, 'entries'), '.entry');
  }

  put(line: string): void {
    this.#folder.put(entryIdHex(line), line);
  }

  /** The oldest first: what is announced goes before what came of it, and one ceremony's end before the next one's beginning. */
  waiting(): string[] {
    const paths = this.#folder.ids().map((id) => this.#folder.path(id));
    const putAt = new Map(paths.map((path) => [path, statSync(path).mtimeMs]));
    return paths
      .toSorted((a, b) => (putAt.get(a) ?? 0) - (putAt.get(b) ?? 0))
      .map((path) => readFileSync(path, 'latin1'));
  }

  /** Removes what the log has; it is asked only if something waits. */
  sweep(logged: () => readonly { readonly id: string }[]): void {
    const waiting = this.#folder.ids();
    if (waiting.length === 0) return;
    const known = new Set(logged().map(({ id }) => id));
    for (const id of waiting) if (known.has(id)) this.#folder.remove(id);
  }
}
