// SPDX-License-Identifier: AGPL-3.0-or-later
import type { KeyObject } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  encodeStatement,
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
  parseStatement,
  signBatch,
  type BatchStatement,
} from '../record/batch.ts';
import { parseEntry } from '../record/entry.ts';
import type { Hex256, HoleEntry } from '../record/entry-types.ts';
import type { KeyId } from '../record/key.ts';
import type { Unit } from './committer.ts';
import { rowId, seqOf } from './schema.ts';
import { isOpenedBy, type SpoolStream, type Streams } from './streams.ts';

/** Fixed batches of one stream that may wait for their receipt; beyond it records gather into larger batches. */
export const MOST_OUTSTANDING = 8;

export interface FixedBatch {
  readonly stream: SpoolStream;
  readonly first: number;
  readonly last: number;
  readonly statement: BatchStatement;
}

interface BatchRow {
  readonly first: number;
  readonly last: number;
  readonly statement: string;
}

type SizeRow = readonly [rid: number, bytes: number, isHole: number];

interface Leaf {
  readonly rid: number;
  readonly id: Uint8Array;
  readonly line: string;
}

interface Signing {
  readonly origin: string;
  readonly key: KeyId;
  readonly privateKey: KeyObject;
}

/**
 * Fixes batch boundaries: which records go together is decided once, signed and stored in the transaction that stored them, so
 * that a batch sent again is the same batch. When the way is free a batch holds what one commit brought; when it is not,
 * records gather.
 */
export class Batches {
  readonly #streams: Streams;
  readonly #signing: Signing;
  readonly #ours = new Map<number, boolean>();
  readonly #sizes: StatementSync;
  readonly #leafAt: StatementSync;
  readonly #insert: StatementSync;
  readonly #outstanding: StatementSync;
  readonly #from: StatementSync;
  readonly #straddling: StatementSync;
  readonly #drop: StatementSync;
  readonly #newestArchived: StatementSync;
  readonly #insertArchived: StatementSync;
  readonly #fixedTo: StatementSync;
  readonly #archive: StatementSync;

  constructor(db: DatabaseSync, streams: Streams, signing: Signing) {
    this.#streams = streams;
    this.#signing = signing;
    this.#sizes = db.prepare(
      `SELECT rid, octet_length(line) + coalesce(octet_length(body), 0), body IS NULL AND instr(line, '"t":"hole"') > 0
       FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid`,
    );
    this.#sizes.setReturnArrays(true);
    this.#leafAt = db.prepare('SELECT rid, id, line FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid DESC LIMIT 1');
    this.#insert = db.prepare('INSERT INTO batches(stream_no, first, last, statement) VALUES (?, ?, ?, ?)');
    this.#outstanding = db.prepare('SELECT count(*) AS n FROM batches WHERE stream_no = ? AND archived_ms IS NULL');
    this.#from = db.prepare(
      'SELECT first, last, statement FROM batches WHERE stream_no = ? AND last >= ? AND archived_ms IS NULL ORDER BY first LIMIT ?',
    );
    this.#straddling = db.prepare(
      'SELECT 1 AS yes FROM batches WHERE stream_no = ? AND first <= ? AND last > ? AND archived_ms IS NULL',
    );
    this.#drop = db.prepare('DELETE FROM batches WHERE stream_no = ? AND last >= ? AND archived_ms IS NULL');
    this.#newestArchived = db.prepare(
      'SELECT last FROM batches WHERE stream_no = ? AND archived_ms IS NOT NULL ORDER BY first DESC LIMIT 1',
    );
    this.#insertArchived = db.prepare(
      "INSERT INTO batches(stream_no, first, last, statement, archived_ms, leaf) VALUES (?, ?, ?, '', ?, ?)",
    );
    this.#fixedTo = db.prepare('SELECT max(last) AS last FROM batches WHERE stream_no = ? AND archived_ms IS NULL');
    this.#archive = db.prepare(
      'UPDATE batches SET archived_ms = ?, leaf = ? WHERE stream_no = ? AND last <= ? AND archived_ms IS NULL',
    );
  }

  /** Fixes as many batches of the stream as may be outstanding. Runs inside a transaction. */
  fix(unit: Unit, stream: SpoolStream): FixedBatch[] {
    const fixed: FixedBatch[] = [];
    if (stream.state === 'stopped' || stream.fixedSeq >= stream.headSeq || !this.#isOurs(stream)) return fixed;
    let room = MOST_OUTSTANDING - (this.#outstanding.get(stream.no) as { n: number }).n;
    for (; room > 0 && stream.fixedSeq < stream.headSeq; room -= 1) fixed.push(this.#fixNext(unit, stream));
    return fixed;
  }

  /** A stream that an earlier key opened takes no batch by this one: what is left of it is recorded again elsewhere. */
  #isOurs(stream: SpoolStream): boolean {
    const known = this.#ours.get(stream.no) ?? isOpenedBy(stream, this.#signing.key);
    this.#ours.set(stream.no, known);
    return known;
  }

  #fixNext(unit: Unit, stream: SpoolStream): FixedBatch {
    const from = stream.fixedSeq + 1;
    const to = from + MAX_BATCH_RECORDS - 1;
    const rows = this.#sizes.all(rowId(stream.no, from), rowId(stream.no, to)) as unknown as SizeRow[];
    let bytes = 0;
    let count = 0;
    let end = 0;
    for (const [rid, size, isHole] of rows) {
      bytes += size;
      if (count > 0 && bytes > MAX_BATCH_BYTES) break;
      count += 1;
      end = seqOf(rid);
      // What follows a hole does not name it: only as its last entry is it under the batch's signature.
      if (isHole > 0) break;
    }
    const leaf = this.#leafUpTo(stream, end) as Leaf;
    const last = endOf(leaf);
    const statement = this.#sign(stream, from, count, Buffer.from(leaf.id).toString('hex'));
    this.#insert.run(stream.no, from, last, encodeStatement(statement));
    this.#streams.change(unit, stream, { fixedSeq: last });
    return { stream, first: from, last, statement };
  }

  #sign(stream: SpoolStream, first: number, count: number, last: Hex256): BatchStatement {
    const { origin, key, privateKey } = this.#signing;
    return signBatch({ origin, stream: stream.stream, gen: stream.gen, first, count, last, key }, privateKey);
  }

  #leafUpTo(stream: SpoolStream, seq: number): Leaf | undefined {
    return this.#leafAt.get(rowId(stream.no, 0), rowId(stream.no, seq)) as Leaf | undefined;
  }

  /** Id of the leaf that ends at `seq` in this spool: of that record, or of a hole up to it. Null if this spool has no such leaf. */
  lastIdAt(stream: SpoolStream, seq: number): Hex256 | null {
    const leaf = this.#leafUpTo(stream, seq);
    return leaf !== undefined && endOf(leaf) === seq ? Buffer.from(leaf.id).toString('hex') : null;
  }

  /** True if a hole stands for `seq` and for records before it. */
  isInHole(stream: SpoolStream, seq: number): boolean {
    const leaf = this.#leafUpTo(stream, seq);
    return leaf !== undefined && seqOf(leaf.rid) < seq && endOf(leaf) >= seq;
  }

  /** Marks records up to `seq` as dealt with: proven in the log, or recorded again elsewhere. Runs inside a transaction. */
  archive(unit: Unit, stream: SpoolStream, seq: number, { leaf, nowMs }: { leaf: number; nowMs: number }): void {
    this.#archive.run(nowMs, leaf, stream.no, seq);
    // After a repair boundaries may straddle what the log has: they are fixed again behind it.
    if (this.#straddling.get(stream.no, seq, seq) !== undefined) this.#drop.run(stream.no, seq);
    const last = this.newestArchived(stream);
    if (last < seq) this.#insertArchived.run(stream.no, last + 1, seq, nowMs, leaf);
    this.#streams.change(unit, stream, { archivedSeq: seq });
    this.#rewind(unit, stream);
  }

  /** Last record of the newest batch with a receipt, by the batches themselves; -1 if there is none. */
  newestArchived({ no }: SpoolStream): number {
    return ((this.#newestArchived.get(no) ?? { last: -1 }) as { last: number }).last;
  }

  /** Takes back the boundaries of batches without a receipt that reach to `seq` or further. Runs inside a transaction. */
  dropFrom(unit: Unit, stream: SpoolStream, seq: number): void {
    this.#drop.run(stream.no, seq);
    this.#rewind(unit, stream);
  }

  #rewind(unit: Unit, stream: SpoolStream): void {
    const { last } = this.#fixedTo.get(stream.no) as { last: number | null };
    this.#streams.change(unit, stream, { fixedSeq: Math.max(stream.archivedSeq, last ?? -1) });
  }

  /** Fixed batches without a receipt that end at or after `seq`, oldest first. */
  unarchived(stream: SpoolStream, seq: number, limit: number = MOST_OUTSTANDING): FixedBatch[] {
    const rows = this.#from.all(stream.no, seq, limit) as unknown as BatchRow[];
    return rows.map(({ first, last, statement }) => ({ stream, first, last, statement: parseStatement(statement) }));
  }
}

/** A hole stands for records up to its end; the next record follows from there. */
function endOf({ rid, line }: Leaf): number {
  const entry = parseEntry(line);
  return entry.t === 'hole' ? seqOf(rid) + (entry satisfies HoleEntry).count - 1 : seqOf(rid);
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
