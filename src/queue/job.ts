// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, type Json } from '../record/canonical.ts';
import { batchId, encodeStatement, parseStatement, type BatchStatement } from '../record/batch.ts';
import { parseEntry, sealedPart } from '../record/entry.ts';
import type { Entry, Hex128, Hex256 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';

/** One record on its way: the header line that is hashed, and the sealed body if it has one. */
export interface SealedRecord {
  readonly line: string;
  readonly body: Buffer | null;
}

/** A batch on its way to the archiver. Nothing in it is readable, and nothing in it is believed without its signature. */
export interface BatchJob {
  readonly kind: 'batch';
  readonly statement: BatchStatement;
  /** JWE documents of all epochs that the records name. */
  readonly epochs: readonly string[];
  readonly records: readonly SealedRecord[];
  /** Size of the log at the connector's last accepted receipt. */
  readonly since: number;
  /** Sent again because no receipt came: the archiver starts its receipts from `since`. */
  readonly again: boolean;
}

/** An object the connector wants to upload. */
export interface ObjectRequest {
  readonly sha256: Hex256;
  /** Base64. */
  readonly md5: string;
  readonly size: number;
  readonly ret: string;
}

/** Asks for permission to upload objects of a stream, at most {@link MOST_GRANTS} at once. */
export interface GrantJob {
  readonly kind: 'grant';
  readonly connector: KeyId;
  readonly stream: Hex128;
  readonly objects: readonly ObjectRequest[];
}

/** Asks where the log says the accounts' streams stand. */
export interface HeadsJob {
  readonly kind: 'heads';
  readonly connector: KeyId;
  readonly accounts: readonly Hex128[];
}

/** An entry that officers approved, and the document it names, empty if it names none. Believed for their signatures alone: anybody may carry it. */
export interface ApprovedJob {
  readonly kind: 'approved';
  readonly line: string;
  readonly document: string;
}

export type Request = GrantJob | HeadsJob;
export type Job = BatchJob | ApprovedJob | (Request & { readonly at: string; readonly sig: string });

export const MOST_GRANTS = 16;
export const MOST_ACCOUNTS = 256;
const REQUEST_CONTEXT = 'holdfast request v1';

/** What a connector signs when it asks for something. */
export function requestText(request: Request, at: string): string {
  return canonicalize({ ...request, at, ctx: REQUEST_CONTEXT } as unknown as Json);
}

/** A job's name in the queue: the same job has the same name, and it says nothing. */
export function jobId(job: Job): string {
  if (job.kind === 'approved') return `a-${sha256Hex(job.line)}`;
  return job.kind === 'batch' ? `b-${batchId(job.statement)}` : `r-${sha256Hex(requestText(job, job.at))}`;
}

/**
 * The first line of a batch on the wire. Behind it, in base64: the header lines, each with its line end, then all bodies one
 * behind the other; their lengths follow from the headers. Base64, because the queue writes a job as a JSON string: quotes of
 * JSON in JSON in JSON cost more than the third that base64 adds.
 */
interface BatchWire {
  readonly kind: 'batch';
  readonly statement: string;
  readonly epochs: readonly string[];
  readonly since: number;
  readonly again: boolean;
}

const LINE_END = 0x0a;

export function encodeJob(job: Job): string {
  if (job.kind !== 'batch') return JSON.stringify(job);
  const { statement, epochs, records, since, again } = job;
  const wire: BatchWire = {
    kind: 'batch',
    statement: encodeStatement(statement),
    epochs,
    since,
    again,
  };
  const lines = Buffer.from(`${records.map(({ line }) => line).join('\n')}\n`, 'latin1');
  const bytes = Buffer.concat([lines, ...records.flatMap(({ body }) => body ?? [])]);
  return `${JSON.stringify(wire)}\n${bytes.toString('base64')}`;
}

function refuse(expected: string): FormatError {
  return new FormatError('format/batch', expected, 'another value');
}

/** A record that arrived: as bytes, which are what is hashed and stored, and parsed once for all who need it. */
export interface ReceivedRecord {
  /** Its header line, without the line end. */
  readonly line: Buffer;
  readonly body: Buffer | null;
  readonly entry: Entry;
}

export interface ReceivedBatch extends Omit<BatchJob, 'records'> {
  readonly records: readonly ReceivedRecord[];
  /** All header lines one behind the other, each with its line end, as they will stand in a segment. */
  readonly lines: Buffer;
}

export type ParsedJob = ReceivedBatch | Exclude<Job, BatchJob>;

/** Parses what came out of the queue, where anybody may have put it. Throws a `FormatError`; nothing is believed yet. */
export function parseJob(text: string): ParsedJob {
  const end = text.indexOf('\n');
  const first = end < 0 ? text : text.slice(0, end);
  let wire: Partial<BatchWire> | Partial<Exclude<Job, BatchJob>>;
  try {
    wire = JSON.parse(first) as typeof wire;
  } catch {
    throw new FormatError('format/not-json', 'a JSON job', `${text.length} other characters`);
  }
  switch (wire?.kind) {
    case 'batch':
      return parseBatch(wire as Partial<BatchWire>, Buffer.from(end < 0 ? '' : text.slice(end), 'base64'));
    case 'grant':
      return parseGrant(wire as Partial<Extract<Job, GrantJob>>);
    case 'approved':
      return parseApproved(wire as Partial<ApprovedJob>);
    case 'heads':
      return parseHeadsJob(wire as Partial<Extract<Job, HeadsJob>>);
    default:
      throw refuse('a batch, grant, heads or approved job');
  }
}

function parseBatch(wire: Partial<BatchWire>, bytes: Buffer): ParsedJob {
  const { statement: text, epochs, since, again } = wire;
  if (typeof text !== 'string' || !isStrings(epochs) || !Number.isSafeInteger(since) || typeof again !== 'boolean') {
    throw refuse('a batch job');
  }
  const statement = parseStatement(text);
  const headers: { line: Buffer; entry: Entry }[] = [];
  let at = 0;
  while (headers.length < statement.count) {
    const end = bytes.indexOf(LINE_END, at);
    if (end < 0) throw refuse(`${statement.count} records`);
    headers.push({ line: bytes.subarray(at, end), entry: parseEntry(bytes.toString('latin1', at, end)) });
    at = end + 1;
  }
  const lines = bytes.subarray(0, at);
  const records = headers.map(({ line, entry }) => {
    const length = sealedPart(entry)?.body.n;
    if (length === undefined) return { line, entry, body: null };
    at += length;
    return { line, entry, body: bytes.subarray(at - length, at) };
  });
  if (at !== bytes.length) throw refuse('bodies of the lengths in the headers');
  return { kind: 'batch', statement, epochs, records, lines, since: since as number, again };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

const HEX_128 = /^[0-9a-f]{32}$/;
const HEX_256 = /^[0-9a-f]{64}$/;

function isHex(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function isSigned(job: { connector?: unknown; at?: unknown; sig?: unknown }): boolean {
  return isHex(HEX_128, job.connector) && typeof job.at === 'string' && typeof job.sig === 'string';
}

function parseGrant(job: Partial<Extract<Job, GrantJob>>): ParsedJob {
  const { objects } = job;
  const fits = isSigned(job) && isHex(HEX_128, job.stream) && Array.isArray(objects) && objects.length <= MOST_GRANTS;
  if (!fits || !objects.every(isObjectRequest)) throw refuse('a grant job');
  return job as Extract<Job, GrantJob>;
}

function isObjectRequest(value: unknown): value is ObjectRequest {
  const { sha256, md5, size, ret } = (value ?? {}) as Partial<Record<keyof ObjectRequest, unknown>>;
  const isSize = Number.isSafeInteger(size) && (size as number) >= 0;
  return isSize && isHex(HEX_256, sha256) && isHex(/^[A-Za-z0-9+/]{22}==$/, md5) && typeof ret === 'string';
}

/** An approved entry's document holds this much at most: 4000 hashes with what is around them. */
const MOST_DOCUMENT = 300_000;

function parseApproved({ line, document }: Partial<ApprovedJob>): ParsedJob {
  if (typeof line !== 'string' || typeof document !== 'string' || document.length > MOST_DOCUMENT) {
    throw refuse('an approved entry with its document');
  }
  return { kind: 'approved', line, document };
}

function parseHeadsJob(job: Partial<Extract<Job, HeadsJob>>): ParsedJob {
  const { accounts } = job;
  const fits = isSigned(job) && isStrings(accounts) && accounts.length <= MOST_ACCOUNTS;
  if (!fits || !accounts.every((account) => HEX_128.test(account))) throw refuse('a heads job');
  return job as Extract<Job, HeadsJob>;
}
