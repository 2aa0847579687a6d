// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { IndexState } from './index-db.ts';

/** What the index says of itself. */
export class StateRows {
  readonly #revision: StatementSync;
  readonly #state: StatementSync;
  readonly #put: StatementSync;
  #known: IndexState | null = null;
  #revisionRead = 0;

  constructor(db: DatabaseSync) {
    this.#revision = db.prepare("SELECT value FROM meta WHERE name = 'revision'");
    this.#state = db.prepare("SELECT value FROM meta WHERE name = 'state'");
    this.#put = db.prepare('INSERT OR REPLACE INTO meta VALUES(?, ?)');
  }

  /** Null for an index that was never written to. The same object as before while it still holds: nothing is parsed for every answer. */
  read(): IndexState | null {
    const revision = this.#revision.get()?.['value'];
    if (revision === undefined) return null;
    if (this.#known === null || this.#revisionRead !== Number(revision)) {
      this.#revisionRead = Number(revision);
      this.#known = JSON.parse(String(this.#state.get()?.['value'])) as IndexState;
    }
    return this.#known;
  }

  /** Another number after each change, as of the last {@link read}. */
  get revision(): number {
    return this.#revisionRead;
  }

  write(state: IndexState): void {
    this.#put.run('revision', String(Number(this.#revision.get()?.['value'] ?? 0) + 1));
    this.#put.run('state', JSON.stringify(state));
  }
}
