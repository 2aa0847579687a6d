// SPDX-License-Identifier: AGPL-3.0-or-later
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type { SealedRecord } from '../queue/job.ts';
import { entryIdHex, isStreamRecord, parseEntry, sealedPart } from '../record/entry.ts';
import type { BatchStatement } from '../record/batch.ts';
import type { Entry, Hex256, StreamRecord } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import { fromSeconds } from '../record/period.ts';
import { asBuffer, type FixedBatch } from './batches.ts';
import { MAX_SEQ, rowId, seqOf } from './schema.ts';
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
  readonly #content: StatementSync;
  readonly #line: StatementSync;
  readonly #newest: StatementSync;
  readonly #epoch: StatementSync;
  readonly #documents: StatementSync;

  constructor(db: DatabaseSync) {
    this.#records = db.prepare(
      'SELECT rid, id, line, body FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid LIMIT ?',
    );
    this.#content = db.prepare('SELECT line, body FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid LIMIT ?');
    // An object a row costs as much as its hash.
    this.#content.setReturnArrays(true);
    this.#line = db.prepare('SELECT line FROM records WHERE rid = ?');
    this.#newest = db.prepare('SELECT coalesce(max(rid), ?1) AS rid FROM records WHERE rid BETWEEN ?1 AND ?2');
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

  /** Number of the last record that there is a row of. */
  newestSeq({ no }: SpoolStream): number {
    const { rid } = this.#newest.get(rowId(no, 0), rowId(no, MAX_SEQ)) as { rid: number };
    return seqOf(rid);
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
    const { no } = stream;
    const rows = this.#content.all(rowId(no, first), rowId(no, last), statement.count) as unknown as ContentRow[];
    const records = rows.map(([line, body]) => ({ line, body: body === null ? null : asBuffer(body) }));
    const ids = signedEpochs(records, statement);
    const epochs = ids?.map((id) => this.epoch(id));
    if (epochs === undefined || epochs.includes(null)) throw damaged(stream, first);
    return { records, epochs: epochs as string[] };
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
    return row === undefined ? null : entryIdHex(row.line);
  }
}

type ContentRow = readonly [line: string, body: Uint8Array | null];

/**
 * The epochs that a batch's records name; null unless they are the records that were signed: each names the one before it by its
 * hash, the statement names the last, and every body is the one its line names.
 */
function signedEpochs(records: readonly SealedRecord[], { first, count, last }: BatchStatement): Hex256[] | null {
  const epochs = new Set<Hex256>();
  let id: Hex256 | null = null;
  for (const [index, { line, body }] of records.entries()) {
    const entry = recordOf(line);
    const follows = entry !== null && entry.seq === first + index && (id === null || entry.prev === id);
    if (!follows || !hasBody(entry, body)) return null;
    id = entryIdHex(line);
    const epoch = sealedPart(entry)?.epoch;
    if (epoch !== undefined) epochs.add(epoch);
  }
  return records.length === count && id === last ? [...epochs] : null;
}

function recordOf(line: string): StreamRecord | null {
  try {
    const entry = parseEntry(line);
    return isStreamRecord(entry) ? entry : null;
  } catch {
    return null;
  }
}

function hasBody(entry: Entry, body: Buffer | null): boolean {
  const sealed = sealedPart(entry);
  return sealed === null ? body === null : body !== null && sha256Hex(body) === sealed.body.h;
}

/** The entry of a row that holds what was written: its id is its line's, and its body is the one its line names. Else null. */
export function soundEntry({ seq, id, line, body }: StoredRecord): Entry | null {
  const entry = entryIdHex(line) === id ? recordOf(line) : null;
  return entry !== null && entry.seq === seq && hasBody(entry, body) ? entry : null;
}

function damaged({ stream }: SpoolStream, first: number): Failure {
  return new Failure('spool/damaged', {
    expected: 'the records that were signed',
    got: 'others',
    where: `stream ${stream}, from ${first}`,
    fix: 'start again: rows that rotted are replaced by a hole; look at the disk',
  });
}
