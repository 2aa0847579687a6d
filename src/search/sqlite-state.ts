// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { IndexState } from './index-db.ts';

/** What the index says of itself. */
export class StateRows {
  readonly #revision: StatementSync;
  readonly #state: StatementSync;
  readonly #put: StatementSync;
  #known: IndexState | null = null;

  constructor(db: DatabaseSync) {
    this.#revision = db.prepare("SELECT value FROM meta WHERE name = 'revision'");
    this.#state = db.prepare("SELECT value FROM meta WHERE name = 'state'");
    this.#put = db.prepare('INSERT OR REPLACE INTO meta VALUES(?, ?)');
  }

  /** Null for an index that was never written to. The same object as before while it still holds: nothing is parsed for every answer. */
  read(): IndexState | null {
    const revision = this.#revision.get()?.['value'];
    if (revision === undefined) return null;
    if (this.#known?.revision !== Number(revision)) {
      this.#known = JSON.parse(String(this.#state.get()?.['value'])) as IndexState;
    }
    return this.#known;
  }

  write(state: IndexState): void {
    this.#put.run('revision', String(state.revision));
    this.#put.run('state', JSON.stringify(state));
  }
}
