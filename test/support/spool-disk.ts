// SPDX-License-Identifier: AGPL-3.0-or-later
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseStatement, verifyStatement, type BatchStatement } from '../../src/record/batch.ts';
import { entryId, genesisOf, parseEntry, sealedPart } from '../../src/record/entry.ts';
import type { StreamRecord } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { CONNECTOR, ORIGIN } from '../vectors/keys.ts';

// A spool's files as somebody sees them who has no part in writing them: with SQLite, the public keys and the format alone.

export interface StoredRow {
  readonly seq: number;
  readonly line: string;
  readonly body: Buffer | null;
  readonly entry: StreamRecord;
}

export interface StoredBatch {
  readonly first: number;
  readonly last: number;
  readonly text: string;
  readonly archived: boolean;
}

export interface StoredStream {
  readonly no: number;
  readonly stream: string;
  readonly headSeq: number;
  readonly archivedSeq: number;
  readonly fixedSeq: number;
  readonly state: string;
  readonly rows: readonly StoredRow[];
  readonly batches: readonly StoredBatch[];
}

export const SEQ_SPAN = 2 ** 36;

/** Changes the database of a spool that nobody has open. */
export function tamper(directory: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(join(directory, 'spool.db'));
  try {
    work(db);
  } finally {
    db.close();
  }
}

/** What is in the spool's files now. A running spool may keep writing: this reads a copy, as a power cut would leave it. */
export function readDisk(directory: string, scratch: string): StoredStream[] {
  copySpool(directory, scratch);
  const streams: StoredStream[] = [];
  tamper(scratch, (db) => {
    for (const row of db.prepare('SELECT * FROM streams ORDER BY no').all() as unknown as StreamRow[]) {
      streams.push({
        no: row.no,
        stream: row.stream,
        headSeq: row.head_seq,
        archivedSeq: row.archived_seq,
        fixedSeq: row.fixed_seq,
        state: row.state,
        rows: rowsOf(db, row.no),
        batches: batchesOf(db, row.no),
      });
    }
  });
  return streams;
}

type StreamRow = Record<'no' | 'head_seq' | 'archived_seq' | 'fixed_seq', number> & Record<'stream' | 'state', string>;

/** Database first, then its log: no other JavaScript of this process runs between, so it is one moment of the disk. */
export function copySpool(directory: string, to: string): void {
  for (const name of ['spool.db', 'spool.db-wal']) {
    if (existsSync(join(directory, name))) cpSync(join(directory, name), join(to, name), { force: true });
  }
}

function rowsOf(db: DatabaseSync, no: number): StoredRow[] {
  const select = db.prepare('SELECT rid, line, body FROM records WHERE rid BETWEEN ? AND ? ORDER BY rid');
  const rows = select.all(no * SEQ_SPAN, (no + 1) * SEQ_SPAN - 1) as unknown as {
    rid: number;
    line: string;
    body: Uint8Array | null;
  }[];
  return rows.map(({ rid, line, body }) => ({
    seq: rid % SEQ_SPAN,
    line,
    body: body === null ? null : Buffer.from(body),
    entry: parseEntry(line) as StreamRecord,
  }));
}

function batchesOf(db: DatabaseSync, no: number): StoredBatch[] {
  const rows = db.prepare('SELECT * FROM batches WHERE stream_no = ? ORDER BY first').all(no) as unknown as {
    first: number;
    last: number;
    statement: string;
    archived_ms: number | null;
  }[];
  return rows.map(({ first, last, statement, archived_ms }) => ({
    first,
    last,
    text: statement,
    archived: archived_ms !== null,
  }));
}

/** Documents of the epochs, as they are stored. */
export function documentsOf(directory: string, scratch: string): string[] {
  copySpool(directory, scratch);
  let documents: string[] = [];
  tamper(scratch, (db) => {
    documents = (db.prepare('SELECT document FROM epochs').all() as { document: string }[]).map(
      ({ document }) => document,
    );
  });
  return documents;
}

/**
 * Holds a stream against the format: gapless numbers, an unbroken chain from the genesis, bodies that hash, batches one behind the
 * other, each signed over what is there. Throws with what does not hold.
 */
export function assertStream({ stream, rows, batches, headSeq, fixedSeq }: StoredStream): void {
  let seq = 0;
  let prev = genesisOf(ORIGIN, stream);
  const ids = new Map<number, string>();
  for (const { line, body, entry } of rows) {
    demand(entry.stream === stream, 'a record of the stream');
    demand(entry.seq === seq, `record ${seq}, got ${entry.seq}`);
    demand(entry.prev === prev, `the chain at ${seq}`);
    const sealed = sealedPart(entry);
    demand((sealed?.body.h ?? null) === (body === null ? null : sha256Hex(body)), `the body of ${seq}`);
    const id = entryId(line).toString('hex');
    [seq, prev] = entry.t === 'hole' ? [seq + entry.count, entry.last] : [seq + 1, id];
    ids.set(seq - 1, id);
  }
  demand(seq - 1 === headSeq, `a head of ${headSeq}, got ${seq - 1}`);
  let next = 0;
  for (const { first, last, text } of batches) {
    demand(first === next, `a batch from ${next}, got ${first}`);
    next = last + 1;
    if (text === '') continue;
    const statement = parseStatement(text);
    verifyStatement(statement, CONNECTOR.key);
    assertStatement(statement, { stream, first, last, id: ids.get(last) ?? '', rows });
  }
  demand(next - 1 === fixedSeq, `batches up to ${fixedSeq}, got ${next - 1}`);
}

function assertStatement(
  { stream, first, last, count, origin }: BatchStatement,
  is: { stream: string; first: number; last: number; id: string; rows: readonly StoredRow[] },
): void {
  const within = is.rows.filter(({ seq }) => seq >= is.first && seq <= is.last);
  demand(origin === ORIGIN && stream === is.stream, 'a statement of the stream');
  demand(first === is.first && last === is.id && count === within.length, `the statement from ${is.first}`);
  demand(
    within.slice(0, -1).every(({ entry }) => entry.t !== 'hole'),
    `a hole as the last entry from ${is.first}`,
  );
}

function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`expected ${what}`);
}

/** Sealed objects that lie in the spool. */
export function objectFiles(directory: string): string[] {
  return readdirSync(join(directory, 'objects')).toSorted();
}
