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
    this.#revision.setReturnArrays(true);
    this.#state = db.prepare("SELECT value FROM meta WHERE name = 'state'");
    this.#put = db.prepare('INSERT OR REPLACE INTO meta VALUES(?, ?)');
  }

  /** Null for an index that was never written to. The same object as before while it still holds: nothing is parsed for every answer. */
  read(): IndexState | null {
    const revision = this.#readRevision();
    if (revision === null) return null;
    if (this.#known === null || this.#revisionRead !== revision) {
      this.#revisionRead = revision;
      this.#known = JSON.parse(String(this.#state.get()?.['value'])) as IndexState;
    }
    return this.#known;
  }

  #readRevision(): number | null {
    // An array, because every answer begins with it.
    const row = this.#revision.get() as readonly unknown[] | undefined;
    return row === undefined ? null : Number(row[0]);
  }

  /** Another number after each change, as of the last {@link read}. */
  get revision(): number {
    return this.#revisionRead;
  }

  write(state: IndexState): void {
    this.#put.run('revision', String((this.#readRevision() ?? 0) + 1));
    this.#put.run('state', JSON.stringify(state));
  }
}
