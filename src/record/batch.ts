// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import type { Hex128, Hex256 } from './entry-types.ts';
import { FormatError } from './format-error.ts';
import { sha256Hex } from './hash.ts';
import { signBytes, verifyBytes, type SigningKey } from './key.ts';
import { ORIGIN_PATTERN } from './origin.ts';

/** A batch holds at most this many records and, payloads included, about this many bytes. */
export const MAX_BATCH_RECORDS = 256;
export const MAX_BATCH_BYTES = 262_144;

/** What a batch is, before it is signed: consecutive records of one stream. */
export interface Batch {
  readonly origin: string;
  readonly stream: Hex128;
  readonly gen: number;
  /** Sequence number of the first record. */
  readonly first: number;
  readonly count: number;
  /** Id of the last record; through `prev` it binds all records before. */
  readonly last: Hex256;
  readonly key: Hex128;
}

export interface BatchStatement extends Batch {
  /** Ed25519 over the canonical statement without `sig`, base64. */
  readonly sig: string;
}

const CONTEXT = 'holdfast batch v1';
const PATTERN = new RegExp(
  `^\\{"count":([1-9][0-9]{0,2}),"ctx":"${CONTEXT}","first":(0|[1-9][0-9]{0,14}),"gen":(0|[1-9][0-9]{0,14}),` +
    '"key":"([0-9a-f]{32})","last":"([0-9a-f]{64})",' +
    `"origin":"(${ORIGIN_PATTERN})",` +
    '"sig":"([A-Za-z0-9+/]{85}[AQgw]==)","stream":"([0-9a-f]{32})"\\}$',
);

function render(batch: Batch, signature: string): string {
  const { count, first, gen, key, last, origin, stream } = batch;
  return (
    `{"count":${count},"ctx":"${CONTEXT}","first":${first},"gen":${gen},"key":"${key}","last":"${last}",` +
    `"origin":"${origin}",${signature}"stream":"${stream}"}`
  );
}

export function encodeStatement(statement: BatchStatement): string {
  return render(statement, `"sig":"${statement.sig}",`);
}

export function signBatch(batch: Batch, privateKey: KeyObject): BatchStatement {
  return { ...batch, sig: signBytes(privateKey, render(batch, '')).toString('base64') };
}

export function parseStatement(text: string): BatchStatement {
  const match = PATTERN.exec(text);
  if (match === null) throw new FormatError('format/batch', 'a canonical batch statement', 'another text');
  const [, count, first, gen, key = '', last = '', origin = '', sig = '', stream = ''] = match;
  const statement = { origin, stream, gen: Number(gen), first: Number(first), count: Number(count), last, key, sig };
  if (statement.count > MAX_BATCH_RECORDS) {
    throw new FormatError('format/batch', `at most ${MAX_BATCH_RECORDS} records`, `${statement.count}`);
  }
  return statement;
}

/** Throws `format/batch-signature` unless `key` is the one the statement names and the signature is its. */
export function verifyStatement(statement: BatchStatement, key: SigningKey): void {
  const signature = Buffer.from(statement.sig, 'base64');
  if (key.id !== statement.key || !verifyBytes(key, render(statement, ''), signature)) {
    throw new FormatError('format/batch-signature', `a signature by ${statement.key}`, 'one that does not verify');
  }
}

/** Name of a batch in the queue: says nothing, and the same batch has the same name. */
export function batchId(statement: BatchStatement): Hex256 {
  return sha256Hex(encodeStatement(statement));
}
