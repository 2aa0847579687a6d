// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHmac, type KeyObject } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Sightings } from '../connectors/connector.ts';
import type { Hex128 } from '../record/entry-types.ts';

/** A message that an intake brought before: where it was recorded, and by which intakes it was seen. */
export interface Seen {
  readonly seq: number;
  readonly streamNo: number;
  readonly intakes: number;
}

const MAC_BYTES = 16;

/**
 * Folds intakes: one native identity with the same bytes is one record, whichever intakes bring it; differing bytes are two.
 * Bytes are compared by a keyed hash, so that the spool's disk answers no guesses about content.
 */
export class SeenTable {
  readonly #get: StatementSync;
  readonly #any: StatementSync;
  readonly #insert: StatementSync;
  readonly #mark: StatementSync;
  readonly #since: StatementSync;
  /** Names of intakes by bit; a connector has a handful. */
  readonly #bits: string[];
  readonly #insertBit: StatementSync;

  constructor(db: DatabaseSync) {
    this.#get = db.prepare('SELECT seq, stream_no, intakes FROM seen WHERE tag = ? AND mac = ?');
    this.#any = db.prepare('SELECT 1 AS yes FROM seen WHERE tag = ?');
    this.#insert = db.prepare(
      'INSERT INTO seen(tag, mac, stream_no, seq, intakes, first_ms) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#mark = db.prepare('UPDATE seen SET intakes = intakes | ? WHERE tag = ? AND mac = ?');
    this.#since = db.prepare(
      'SELECT tag, intakes FROM seen JOIN streams ON streams.no = seen.stream_no WHERE first_ms >= ? AND acct = ? ORDER BY tag',
    );
    this.#insertBit = db.prepare("INSERT OR REPLACE INTO meta(name, value) VALUES ('intakes', ?)");
    const row = db.prepare("SELECT value FROM meta WHERE name = 'intakes'").get() as { value: string } | undefined;
    this.#bits = row === undefined ? [] : (JSON.parse(row.value) as string[]);
  }

  static mac(key: KeyObject, raw: Uint8Array): Buffer {
    return createHmac('sha256', key).update(raw).digest().subarray(0, MAC_BYTES);
  }

  find(tag: Hex128, mac: Buffer): Seen | null {
    const row = this.#get.get(tag, mac) as { seq: number; stream_no: number; intakes: number } | undefined;
    return row === undefined ? null : { seq: row.seq, streamNo: row.stream_no, intakes: row.intakes };
  }

  has(tag: Hex128): boolean {
    return this.#any.get(tag) !== undefined;
  }

  /** Runs inside a transaction. */
  add(tag: Hex128, mac: Buffer, place: { streamNo: number; seq: number }, intake: string, nowMs: number): void {
    this.#insert.run(tag, mac, place.streamNo, place.seq, this.#bit(intake), nowMs);
  }

  /** Runs inside a transaction. */
  mark(tag: Hex128, mac: Buffer, seen: Seen, intake: string): void {
    const bit = this.#bit(intake);
    if ((seen.intakes & bit) === 0) this.#mark.run(bit, tag, mac);
  }

  #bit(intake: string): number {
    const known = this.#bits.indexOf(intake);
    if (known >= 0) return 2 ** known;
    this.#bits.push(intake);
    this.#insertBit.run(JSON.stringify(this.#bits));
    return 2 ** (this.#bits.length - 1);
  }

  report(acct: Hex128, sinceMs: number): Sightings {
    const byIntake: Record<string, number> = {};
    const only: Record<string, number> = {};
    let total = 0;
    let differing = 0;
    let lastTag = '';
    for (const { tag, intakes } of this.#since.all(sinceMs, acct) as unknown as { tag: string; intakes: number }[]) {
      if (tag === lastTag) differing += 1;
      lastTag = tag;
      total += 1;
      const names = this.#bits.filter((_, bit) => (intakes & (2 ** bit)) !== 0);
      for (const name of names) byIntake[name] = (byIntake[name] ?? 0) + 1;
      if (names.length === 1) only[names[0] as string] = (only[names[0] as string] ?? 0) + 1;
    }
    return { total, byIntake, only, differing };
  }
}
