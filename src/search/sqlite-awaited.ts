// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RepackEntry } from '../record/entry-types.ts';
import type { AwaitedRecord } from './index-db.ts';
import type { AwaitedBytes } from './open-records.ts';
import type { Defect } from './open-task.ts';

const SQL = {
  add: 'INSERT INTO awaited VALUES(?, ?, ?, ?)',
  drop: 'DELETE FROM awaited WHERE leaf = ?',
  all: 'SELECT a.leaf, a.segment, a.kind, a.hash, r.id, r.defect FROM awaited a JOIN record r ON r.leaf = a.leaf ORDER BY a.leaf',
  addRepack: 'INSERT OR REPLACE INTO repack VALUES(?, ?)',
  repacks: 'SELECT entry FROM repack',
} as const;

/** Which records wait for which bytes, and which packs took over from which. */
export class AwaitedRows {
  readonly #sql: Readonly<Record<keyof typeof SQL, StatementSync>>;

  constructor(db: DatabaseSync) {
    const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
    this.#sql = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
  }

  add(leaf: number, segment: number, { kind, hash }: AwaitedBytes): void {
    this.#sql.add.run(leaf, segment, kind, hash);
  }

  /** False if it did not wait. */
  drop(leaf: number): boolean {
    return Number(this.#sql.drop.run(leaf).changes) > 0;
  }

  all(): AwaitedRecord[] {
    return this.#sql.all.all().map(({ leaf, segment, kind, hash, id, defect }) => ({
      leaf: Number(leaf),
      id: String(id),
      segment: Number(segment),
      bytes: { kind: kind as AwaitedBytes['kind'], hash: String(hash) },
      defect: String(defect) as Defect,
    }));
  }

  addRepack(entry: RepackEntry): void {
    this.#sql.addRepack.run(entry.h, JSON.stringify(entry));
  }

  repacks(): RepackEntry[] {
    return this.#sql.repacks.all().map(({ entry }) => JSON.parse(String(entry)) as RepackEntry);
  }
}
