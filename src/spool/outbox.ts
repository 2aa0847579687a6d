// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type { SealedRecord } from '../queue/job.ts';
import { entryId, parseEntry, sealedPart } from '../record/entry.ts';
import type { Entry, Hex256 } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import { fromSeconds } from '../record/period.ts';
import { asBuffer, type FixedBatch } from './batches.ts';
import { rowId, seqOf } from './schema.ts';
import type { SpoolStream } from './streams.ts';

export interface StoredRecord extends SealedRecord {
  readonly seq: number;
  readonly id: Hex256;
}

export interface BatchContent {
  readonly records: readonly SealedRecord[];
  readonly epochs: readonly string[];
}

/** Reads records back from the spool, to send them or to check them. */
export class Outbox {
  readonly #records: StatementSync;
  readonly #line: StatementSync;
  readonly #epoch: StatementSync;
  readonly #documents: StatementSync;

  constructor(db: DatabaseSync) {
    this.#records = db.prepare(
      'SELECT rid, id, line, body FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid LIMIT ?',
    );
    this.#line = db.prepare('SELECT line FROM records WHERE rid = ?');
    this.#epoch = db.prepare('SELECT document FROM epochs WHERE id = ?');
    this.#documents = db.prepare(
      `SELECT document FROM epochs WHERE id IN
         (SELECT CASE WHEN json_valid(line) THEN json_extract(line, '$.epoch') END FROM records WHERE rid BETWEEN ? AND ?)`,
    );
  }

  /** Rows as they are, from `first` on. */
  read({ no }: SpoolStream, first: number, last: number, limit: number): StoredRecord[] {
    const rows = this.#records.all(rowId(no, first), rowId(no, last), limit) as unknown as {
      rid: number;
      id: Uint8Array;
      line: string;
      body: Uint8Array | null;
    }[];
    return rows.map(({ rid, id, line, body }) => ({
      seq: seqOf(rid),
      id: asBuffer(id).toString('hex'),
      line,
      body: body === null ? null : asBuffer(body),
    }));
  }

  /** The document of an epoch, or null if it is missing or rotten. */
  epoch(id: Hex256): string | null {
    const document = this.document(id);
    return sha256Hex(document) === id ? document : null;
  }

  /** What is left of an epoch's document. */
  document(id: Hex256): string {
    return ((this.#epoch.get(id) ?? { document: '' }) as { document: string }).document;
  }

  /** Documents of the epochs that the records from `first` to `last` name. */
  documents({ no }: SpoolStream, first: number, last: number): string[] {
    const rows = this.#documents.all(rowId(no, first), rowId(no, last)) as unknown as { document: string }[];
    return rows.map(({ document }) => document);
  }

  /**
   * A batch's records and the documents of the epochs they name. Throws `spool/damaged` if they are not what was signed: what
   * rotted under a running process is repaired by the next start, and nothing else of it is sent.
   */
  content({ stream, first, last, statement }: FixedBatch): BatchContent {
    const records = this.read(stream, first, last, statement.count);
    const whole = records.length === statement.count && records.at(-1)?.id === statement.last;
    const entries = records.map(soundEntry);
    const ids = new Set(entries.map((entry) => (entry === null ? undefined : sealedPart(entry)?.epoch)));
    ids.delete(undefined);
    const epochs = [...ids].map((id) => this.epoch(id ?? ''));
    if (!whole || entries.includes(null) || epochs.includes(null)) throw damaged(stream, first);
    return { records: records.map(({ line, body }) => ({ line, body })), epochs: epochs as string[] };
  }

  /** Time of a record, or null if its row is gone or rotten. */
  timeAt({ no }: SpoolStream, seq: number): number | null {
    const row = this.#line.get(rowId(no, seq)) as { line: string } | undefined;
    try {
      return row === undefined ? null : fromSeconds(parseEntry(row.line).at);
    } catch {
      return null;
    }
  }

  /** Id of a record, or null if its row is gone. */
  idAt(streamNo: number, seq: number): Hex256 | null {
    const row = this.#line.get(rowId(streamNo, seq)) as { line: string } | undefined;
    return row === undefined ? null : entryId(row.line).toString('hex');
  }
}

/** The entry of a row that holds what was written: its id is its line's, and its body is the one its line names. Else null. */
export function soundEntry({ seq, id, line, body }: StoredRecord): Entry | null {
  try {
    if (entryId(line).toString('hex') !== id) return null;
    const entry = parseEntry(line);
    if (!('seq' in entry) || entry.seq !== seq) return null;
    const sealed = sealedPart(entry);
    const fits = sealed === null ? body === null : body !== null && sha256Hex(body) === sealed.body.h;
    return fits ? entry : null;
  } catch {
    return null;
  }
}

function damaged({ stream }: SpoolStream, first: number): Failure {
  return new Failure('spool/damaged', {
    expected: 'the records that were signed',
    got: 'others',
    where: `stream ${stream}, from ${first}`,
    fix: 'start again: rows that rotted are replaced by a hole; look at the disk',
  });
}
