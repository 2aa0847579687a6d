// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Hex128 } from '../record/entry-types.ts';
import { asBuffer } from './batches.ts';

export interface Remain {
  readonly no: number;
  readonly acct: Hex128;
  readonly raw: Buffer;
}

/** Bytes of damaged rows, kept beside the hole that stands for them until the account's next stream takes them in as they are. */
export class Remains {
  readonly #insert: StatementSync;
  readonly #some: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO remains(acct, raw) VALUES (?, ?)');
    this.#some = db.prepare('SELECT no, acct, raw FROM remains ORDER BY no LIMIT ?');
    this.#delete = db.prepare('DELETE FROM remains WHERE no = ?');
  }

  /** Runs inside a transaction. */
  keep(acct: Hex128, raw: Uint8Array): void {
    this.#insert.run(acct, raw);
  }

  some(limit: number): Remain[] {
    const rows = this.#some.all(limit) as unknown as { no: number; acct: string; raw: Uint8Array }[];
    return rows.map(({ no, acct, raw }) => ({ no, acct, raw: asBuffer(raw) }));
  }

  /** Runs inside the transaction that recorded it. */
  forget({ no }: Remain): void {
    this.#delete.run(no);
  }
}
