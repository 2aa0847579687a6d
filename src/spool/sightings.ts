// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHmac, type KeyObject } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Sightings } from '../connectors/connector.ts';
import type { Hex128 } from '../record/entry-types.ts';
import type { Unit } from './committer.ts';
import type { Meta } from './meta.ts';

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
  readonly #forget: StatementSync;
  readonly #meta: Meta;
  /** Names of intakes by bit; a connector has a handful. */
  #names: readonly string[];

  constructor(db: DatabaseSync, meta: Meta) {
    this.#get = db.prepare('SELECT seq, stream_no, intakes FROM seen WHERE tag = ? AND mac = ?');
    this.#any = db.prepare('SELECT 1 AS yes FROM seen WHERE tag = ?');
    this.#insert = db.prepare(
      'INSERT INTO seen(tag, mac, stream_no, seq, intakes, first_ms) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#mark = db.prepare('UPDATE seen SET intakes = intakes | ? WHERE tag = ? AND mac = ?');
    this.#since = db.prepare(
      'SELECT tag, intakes FROM seen JOIN streams ON streams.no = seen.stream_no WHERE first_ms >= ? AND acct = ? ORDER BY tag',
    );
    this.#forget = db.prepare('DELETE FROM seen WHERE stream_no = ? AND seq BETWEEN ? AND ?');
    this.#meta = meta;
    this.#names = JSON.parse(meta.get('intakes') ?? '[]') as string[];
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
  add(
    unit: Unit,
    { tag, mac, via, nowMs }: { tag: Hex128; mac: Buffer; via: string; nowMs: number },
    place: { streamNo: number; seq: number },
  ): void {
    this.#insert.run(tag, mac, place.streamNo, place.seq, this.#bit(unit, via), nowMs);
  }

  /** Runs inside a transaction. */
  mark(unit: Unit, { tag, mac, via }: { tag: Hex128; mac: Buffer; via: string }, seen: Seen): void {
    const bit = this.#bit(unit, via);
    if ((seen.intakes & bit) === 0) this.#mark.run(bit, tag, mac);
  }

  /** What a hole stands for was not recorded after all: upstream may bring it again. Runs inside a transaction. */
  forget(streamNo: number, first: number, last: number): void {
    this.#forget.run(streamNo, first, last);
  }

  #bit(unit: Unit, intake: string): number {
    const known = this.#names.indexOf(intake);
    if (known >= 0) return 2 ** known;
    const before = this.#names;
    unit.undo(() => (this.#names = before));
    this.#names = [...before, intake];
    this.#meta.set('intakes', JSON.stringify(this.#names));
    return 2 ** before.length;
  }

  report(acct: Hex128, sinceMs: number): Sightings {
    const report = {
      total: 0,
      byIntake: {} as Record<string, number>,
      only: {} as Record<string, number>,
      differing: 0,
    };
    let message = { tag: '', intakes: 0, versions: 0 };
    for (const row of this.#since.iterate(sinceMs, acct)) {
      const { tag, intakes } = row as unknown as { tag: string; intakes: number };
      if (tag !== message.tag) {
        this.#count(message, report);
        message = { tag, intakes: 0, versions: 0 };
      }
      message.intakes |= intakes;
      message.versions += 1;
    }
    this.#count(message, report);
    return report;
  }

  #count(
    { intakes, versions }: { intakes: number; versions: number },
    report: { total: number; byIntake: Record<string, number>; only: Record<string, number>; differing: number },
  ): void {
    if (versions === 0) return;
    const names = this.#names.filter((_, bit) => (intakes & (2 ** bit)) !== 0);
    report.total += 1;
    if (versions > 1) report.differing += 1;
    for (const name of names) report.byIntake[name] = (report.byIntake[name] ?? 0) + 1;
    if (names.length === 1) report.only[names[0] as string] = (report.only[names[0] as string] ?? 0) + 1;
  }
}
