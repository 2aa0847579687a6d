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
import { entryId, parseEntry, sealedPart } from '../record/entry.ts';
import type { Hex256 } from '../record/entry-types.ts';
import type { KeyId } from '../record/key.ts';
import type { SealedRecord } from '../queue/job.ts';
import type { Unit } from './committer.ts';
import { rowId } from './schema.ts';
import type { SpoolStream, Streams } from './streams.ts';

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

interface RecordRow {
  readonly line: string;
  readonly body: Uint8Array | null;
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
  readonly #sizes: StatementSync;
  readonly #line: StatementSync;
  readonly #insert: StatementSync;
  readonly #outstanding: StatementSync;
  readonly #rows: StatementSync;
  readonly #from: StatementSync;
  readonly #epoch: StatementSync;
  readonly #straddling: StatementSync;
  readonly #dropAfter: StatementSync;

  constructor(db: DatabaseSync, streams: Streams, signing: Signing) {
    this.#streams = streams;
    this.#signing = signing;
    this.#sizes = db.prepare(
      'SELECT rid, length(line) + coalesce(length(body), 0) AS bytes FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid',
    );
    this.#line = db.prepare('SELECT line FROM records WHERE rid = ?');
    this.#insert = db.prepare('INSERT INTO batches(stream_no, first, last, statement) VALUES (?, ?, ?, ?)');
    this.#outstanding = db.prepare('SELECT count(*) AS n FROM batches WHERE stream_no = ? AND archived_ms IS NULL');
    this.#rows = db.prepare('SELECT line, body FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid');
    this.#from = db.prepare(
      'SELECT first, last, statement FROM batches WHERE stream_no = ? AND last >= ? AND archived_ms IS NULL ORDER BY first LIMIT ?',
    );
    this.#straddling = db.prepare(
      'SELECT 1 AS yes FROM batches WHERE stream_no = ? AND first <= ? AND last > ? AND archived_ms IS NULL',
    );
    this.#dropAfter = db.prepare('DELETE FROM batches WHERE stream_no = ? AND archived_ms IS NULL');
    this.#epoch = db.prepare('SELECT document FROM epochs WHERE id = ?');
  }

  /** Fixes as many batches of the stream as may be outstanding. Runs inside a transaction. */
  fix(unit: Unit, stream: SpoolStream): FixedBatch[] {
    const fixed: FixedBatch[] = [];
    if (stream.fixedSeq >= stream.headSeq) return fixed;
    let room = MOST_OUTSTANDING - (this.#outstanding.get(stream.no) as { n: number }).n;
    for (; room > 0 && stream.fixedSeq < stream.headSeq; room -= 1) fixed.push(this.#fixNext(unit, stream));
    return fixed;
  }

  #fixNext(unit: Unit, stream: SpoolStream): FixedBatch {
    const from = stream.fixedSeq + 1;
    const rows = this.#sizes.all(rowId(stream.no, from), rowId(stream.no, from + MAX_BATCH_RECORDS - 1)) as unknown as {
      rid: number;
      bytes: number;
    }[];
    let bytes = 0;
    let count = 0;
    for (const row of rows) {
      bytes += row.bytes;
      if (count > 0 && bytes > MAX_BATCH_BYTES) break;
      count += 1;
    }
    const lastRid = (rows[count - 1] as { rid: number }).rid;
    const { line } = this.#line.get(lastRid) as unknown as RecordRow;
    const entry = parseEntry(line);
    // A hole stands for records up to its end; the next record follows from there.
    const [last, lastId] =
      entry.t === 'hole'
        ? [entry.seq + entry.count - 1, entryId(line)]
        : [lastRid - rowId(stream.no, 0), entryId(line)];
    const statement = this.#sign(stream, from, count, lastId.toString('hex'));
    this.#insert.run(stream.no, from, last, encodeStatement(statement));
    this.#streams.change(unit, stream, { fixedSeq: last });
    return { stream, first: from, last, statement };
  }

  #sign(stream: SpoolStream, first: number, count: number, last: Hex256): BatchStatement {
    const { origin, key, privateKey } = this.#signing;
    return signBatch({ origin, stream: stream.stream, gen: stream.gen, first, count, last, key }, privateKey);
  }

  /** Id of the leaf that ends at `seq` in this spool: of that record, or of a hole up to it. Null if this spool has no such leaf. */
  lastIdAt(stream: SpoolStream, seq: number): Hex256 | null {
    const row = this.#line.get(rowId(stream.no, seq)) as RecordRow | undefined;
    if (row !== undefined && parseEntry(row.line).t !== 'hole') return entryId(row.line).toString('hex');
    const batch = this.unarchived(stream, seq, 1)[0];
    return batch !== undefined && batch.last === seq ? batch.statement.last : null;
  }

  /** After rows were repaired, boundaries may straddle what is archived: those are dropped, to be fixed again behind it. */
  dropBoundaries(unit: Unit, stream: SpoolStream, archivedSeq: number): void {
    if (this.#straddling.get(stream.no, archivedSeq, archivedSeq) === undefined) return;
    this.#dropAfter.run(stream.no);
    this.#streams.change(unit, stream, { fixedSeq: archivedSeq });
  }

  /** Fixed batches without a receipt that end at or after `seq`, oldest first. */
  unarchived(stream: SpoolStream, seq: number, limit: number = MOST_OUTSTANDING): FixedBatch[] {
    const rows = this.#from.all(stream.no, seq, limit) as unknown as BatchRow[];
    return rows.map(({ first, last, statement }) => ({ stream, first, last, statement: parseStatement(statement) }));
  }

  /** A batch's records and the documents of the epochs they name, read back for sending. */
  content({ stream, first, last }: FixedBatch): { records: SealedRecord[]; epochs: string[] } {
    const rows = this.#rows.all(rowId(stream.no, first), rowId(stream.no, last)) as unknown as RecordRow[];
    const records = rows.map(({ line, body }) => ({ line, body: body === null ? null : asBuffer(body) }));
    const ids = new Set(
      records.filter(({ body }) => body !== null).map(({ line }) => sealedPart(parseEntry(line))?.epoch),
    );
    const epochs = [...ids].map(
      (id) => (this.#epoch.get(id ?? '') as { document: string } | undefined)?.document ?? '',
    );
    return { records, epochs };
  }
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
