// SPDX-License-Identifier: AGPL-3.0-or-later

export const SCHEMA_VERSION = 1;
/** Fixed, so that a damaged file can be read without its own word on it. */
export const PAGE_BYTES = 4096;

/** A record's row id: the number of its stream and its sequence number in one integer, so that a batch is a range of rows. */
const SEQ_SPAN = 2 ** 36;
export const MAX_SEQ = SEQ_SPAN - 1;
export const MAX_STREAMS = 2 ** 17;

export function rowId(streamNo: number, seq: number): number {
  return streamNo * SEQ_SPAN + seq;
}

export function seqOf(rid: number): number {
  return rid % SEQ_SPAN;
}

/**
 * The spool's tables. Everything in it is sealed, keyed or encrypted; the clear columns are pseudonyms, counts, states and times.
 * What is needed to ship a record lies in ordinary tables with its own hash beside it, so that it can be found in a damaged file.
 *
 * - `streams`: head, last record fixed into a batch, last record proven archived; its `open` record once more, because
 *   without it nothing of the stream could be archived
 * - `records`: id, header line and sealed body
 * - `epochs`: documents in the order of their use
 * - `batches`: fixed and signed boundaries; a batch is sent until a receipt covers it
 * - `seen`: which intakes brought a native identity, to fold them
 * - `objects`: sealed files that wait for upload
 * - `session`: the messenger's state, encrypted with the host key
 * - `gaps`: gaps that are open
 * - `remains`: bytes of rows that a hole stands for, until they are recorded as they are
 */
export const SCHEMA = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE streams(
  no INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE, acct TEXT NOT NULL, app TEXT NOT NULL, role TEXT NOT NULL,
  gen INTEGER NOT NULL, head_seq INTEGER NOT NULL, head_id TEXT NOT NULL, fixed_seq INTEGER NOT NULL,
  archived_seq INTEGER NOT NULL, state TEXT NOT NULL, opening TEXT NOT NULL) STRICT;
CREATE TABLE records(rid INTEGER PRIMARY KEY, id BLOB NOT NULL, line TEXT NOT NULL, body BLOB) STRICT;
CREATE TABLE epochs(
  no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document TEXT NOT NULL, first_ms INTEGER NOT NULL) STRICT;
CREATE TABLE batches(
  stream_no INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, statement TEXT NOT NULL,
  archived_ms INTEGER, leaf INTEGER, PRIMARY KEY(stream_no, first)) STRICT, WITHOUT ROWID;
CREATE INDEX batches_waiting ON batches(stream_no, first) WHERE archived_ms IS NULL;
CREATE TABLE seen(
  tag TEXT NOT NULL, mac BLOB NOT NULL, stream_no INTEGER NOT NULL, seq INTEGER NOT NULL, intakes INTEGER NOT NULL,
  first_ms INTEGER NOT NULL, PRIMARY KEY(tag, mac)) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_time ON seen(first_ms);
CREATE TABLE objects(
  hash TEXT PRIMARY KEY, md5 TEXT NOT NULL, size INTEGER NOT NULL, ret TEXT NOT NULL, stream_no INTEGER NOT NULL,
  seq INTEGER NOT NULL, uploaded_ms INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX objects_by_record ON objects(stream_no, seq);
CREATE TABLE session(acct TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(acct, name)) STRICT, WITHOUT ROWID;
CREATE TABLE gaps(
  id TEXT PRIMARY KEY, acct TEXT NOT NULL, cause TEXT NOT NULL, scope TEXT NOT NULL, tag TEXT, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE remains(no INTEGER PRIMARY KEY, acct TEXT NOT NULL, raw BLOB NOT NULL) STRICT;
PRAGMA user_version = ${SCHEMA_VERSION};
`;
