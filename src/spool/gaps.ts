// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { OpenGap } from '../connectors/connector.ts';
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import type { GapCause, GapScope } from '../record/vocabulary.ts';

/** Gaps that are open, so that recovery can close them and operators can count them. */
export class GapTable {
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #ofAccount: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO gaps(id, acct, cause, scope, tag, at_ms) VALUES (?, ?, ?, ?, ?, ?)');
    this.#delete = db.prepare('DELETE FROM gaps WHERE id = ?');
    this.#ofAccount = db.prepare('SELECT id, cause, scope, tag, at_ms FROM gaps WHERE acct = ? ORDER BY at_ms, id');
  }

  /** Runs inside a transaction. */
  open(acct: Hex128, gap: OpenGap): void {
    this.#insert.run(gap.id, acct, gap.cause, gap.scope, gap.tag, gap.atMs);
  }

  /** Runs inside a transaction. */
  end(id: Hex256): void {
    this.#delete.run(id);
  }

  ofAccount(acct: Hex128): OpenGap[] {
    const rows = this.#ofAccount.all(acct) as unknown as {
      id: string;
      cause: GapCause;
      scope: GapScope;
      tag: string | null;
      at_ms: number;
    }[];
    return rows.map(({ id, cause, scope, tag, at_ms }) => ({ id, cause, scope, tag, atMs: at_ms }));
  }
}
