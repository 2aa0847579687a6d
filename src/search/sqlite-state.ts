// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { IndexState } from './index-db.ts';

/** What the index says of itself. */
export class StateRows {
  readonly #size: StatementSync;
  readonly #state: StatementSync;
  readonly #put: StatementSync;
  #known: IndexState | null = null;

  constructor(db: DatabaseSync) {
    this.#size = db.prepare("SELECT value FROM meta WHERE name = 'size'");
    this.#state = db.prepare("SELECT value FROM meta WHERE name = 'state'");
    this.#put = db.prepare('INSERT OR REPLACE INTO meta VALUES(?, ?)');
  }

  /** Null for an index that was never written to. The same object as before while it still holds: nothing is parsed for every answer. */
  read(): IndexState | null {
    const size = this.#size.get()?.['value'];
    if (size === undefined) return null;
    if (this.#known?.position.size !== Number(size)) {
      this.#known = JSON.parse(String(this.#state.get()?.['value'])) as IndexState;
    }
    return this.#known;
  }

  write(state: IndexState): void {
    this.#put.run('size', String(state.position.size));
    this.#put.run('state', JSON.stringify(state));
  }
}
