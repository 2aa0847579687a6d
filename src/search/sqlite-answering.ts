// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type { IndexState } from './index-db.ts';
import { NameReader } from './sqlite-names.ts';
import { StateRows } from './sqlite-state.ts';

/** Statements that are kept ready. */
const MOST_STATEMENTS = 200;

/** What all answers of one connection share: each from one state of the index, which it names. */
export class Answering {
  readonly names: NameReader;
  readonly #db: DatabaseSync;
  readonly #rows: StateRows;
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  readonly #statements = new Map<string, StatementSync>();
  #state: IndexState | null = null;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#rows = new StateRows(db);
    this.#begin = db.prepare('BEGIN');
    this.#end = db.prepare('COMMIT');
    this.names = new NameReader(db);
  }

  /** Everything `read` asks is answered from one snapshot. Throws `search/index-missing` for an empty index. */
  snapshot<T>(read: (state: IndexState) => T): T {
    // What `run` counts, nobody asks for.
    this.#begin.get();
    try {
      const state = this.#rows.read();
      if (state === null) {
        throw new Failure('search/index-missing', {
          expected: 'an index that something was read into',
          got: 'an empty one',
          fix: 'build it: `holdfast read --once`',
        });
      }
      if (state !== this.#state) this.names.forget();
      this.#state = state;
      return read(state);
    } finally {
      this.#end.get();
    }
  }

  /** Another number after each change of the index; inside of {@link snapshot}. */
  get revision(): number {
    return this.#rows.revision;
  }

  /** A statement, kept ready for the next time. */
  prepared(sql: string, asArrays = false): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    statement.setReturnArrays(asArrays);
    const [oldest] = this.#statements.keys();
    // Page sizes and offsets are part of the text, so that there is no end to it.
    if (this.#statements.size >= MOST_STATEMENTS && oldest !== undefined) this.#statements.delete(oldest);
    this.#statements.set(sql, statement);
    return statement;
  }
}
