// SPDX-License-Identifier: AGPL-3.0-or-later
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseJob, requestText, type BatchJob, type ReceivedBatch } from '../../src/queue/job.ts';
import { encodeReply, type Grant, type Reply } from '../../src/queue/reply.ts';
import { verifyStatement } from '../../src/record/batch.ts';
import { signCheckpoint } from '../../src/record/checkpoint.ts';
import { entryId, genesisOf, sealedPart } from '../../src/record/entry.ts';
import type { BytesRef, Entry, Hex128, Hex256, StreamRecord } from '../../src/record/entry-types.ts';
import { sha256Hex } from '../../src/record/hash.ts';
import { verifyBytes, type KeyId, type SigningKey } from '../../src/record/key.ts';
import { EMPTY_RANGE } from '../../src/record/merkle.ts';
import { encodeReceipt, type Receipt } from '../../src/record/receipt.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { ARCHIVER, CONNECTOR, LOG, ORIGIN } from '../vectors/keys.ts';
import { SECOND_CONNECTOR } from './spool-parts.ts';

/** A record as the log has it. */
export interface Logged {
  readonly line: string;
  readonly body: Buffer | null;
  readonly entry: StreamRecord;
  readonly id: Hex256;
  readonly leaf: number;
}

export interface LoggedStream {
  readonly acct: Hex128;
  readonly gen: number;
  readonly key: KeyId;
  readonly records: Logged[];
  /** Number and `prev` of the next record. */
  seq: number;
  prev: Hex256;
  closed: boolean;
}

/** A batch as it was sent, with its entries. */
type Batch = BatchJob & { readonly entries: readonly Entry[] };

function asSent({ records, ...job }: ReceivedBatch): Batch {
  const sent = records.map(({ line, body }) => ({ line: line.toString('latin1'), body }));
  return { ...job, records: sent, entries: records.map(({ entry }) => entry) };
}

const KEYS: ReadonlyMap<KeyId, SigningKey> = new Map([CONNECTOR, SECOND_CONNECTOR].map(({ key }) => [key.id, key]));

/**
 * A log in memory, small and strict: it takes a batch only if everything about it holds, and remembers as a violation whatever no
 * sound spool ever sends. It answers as an archiver does, with real proofs.
 */
export class CheckingLog {
  readonly #origin: string;
  readonly streams = new Map<Hex128, LoggedStream>();
  readonly documents = new Map<Hex256, string>();
  /** What a sound spool never sends. */
  readonly violations: string[] = [];
  readonly batches: BatchJob[] = [];
  readonly #tree = new TreeWindow(EMPTY_RANGE);
  readonly #since = new Map<KeyId, number>();
  /** While true, receipts are not sent by themselves. */
  withholds = false;
  /** Where `file:` grants lead, or what makes another grant. */
  objects = '';
  grant: ((object: { sha256: string; size: number }) => Grant | string) | null = null;
  /** Refuses batches, while it gives a code. */
  refuse: (job: Batch) => string | null = () => null;
  reply: (to: KeyId, text: string) => void = () => undefined;

  constructor(origin: string = ORIGIN) {
    this.#origin = origin;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Everything in the log, in its order. */
  all(): Logged[] {
    return [...this.streams.values()].flatMap(({ records }) => records).toSorted((a, b) => a.leaf - b.leaf);
  }

  take(text: string): void {
    const job = parseJob(text);
    if (job.kind === 'batch') return this.#takeBatch(asSent(job));
    if (job.kind === 'approved') return this.#violate('an approved entry from a connector');
    const { at, sig, ...request } = job;
    const key = KEYS.get(job.connector);
    if (key === undefined || !verifyBytes(key, requestText(request, at), Buffer.from(sig, 'base64')))
      return this.#violate('a request that nobody signed');
    if (job.kind === 'grant') return this.answer(job.connector, this.#granted(job.stream, job.objects));
    return this.answer(job.connector, { kind: 'heads', heads: job.accounts.map((acct) => this.headOf(acct)) });
  }

  headOf(acct: Hex128): { acct: Hex128; gen: number; head: { stream: Hex128; seq: number; id: Hex256 } | null } {
    const own = [...this.streams].filter(([, stream]) => stream.acct === acct);
    const newest = own.toSorted(([, a], [, b]) => b.gen - a.gen)[0];
    if (newest === undefined) return { acct, gen: 0, head: null };
    const [stream, { gen, seq, records }] = newest;
    return { acct, gen, head: { stream, seq: seq - 1, id: records.at(-1)?.id ?? '' } };
  }

  answer(to: KeyId, reply: Reply): void {
    this.reply(to, encodeReply(to, reply, ARCHIVER.privateKey));
  }

  #granted(stream: Hex128, objects: readonly { sha256: string; size: number }[]): Reply {
    const grants: Grant[] = [];
    for (const object of objects) {
      const grant = this.grant === null ? this.fileGrant(object) : this.grant(object);
      if (typeof grant === 'string') return { kind: 'denied', stream, code: grant };
      grants.push(grant);
    }
    return { kind: 'granted', stream, grants };
  }

  fileGrant({ sha256, size }: { sha256: string; size: number }): Grant {
    const url = pathToFileURL(join(this.objects, sha256)).href;
    return { key: `media/${sha256}`, sha256, size, url, headers: {}, expires: '' };
  }

  #takeBatch(job: Batch): void {
    const { statement, since, again } = job;
    const { stream, key } = statement;
    const signer = KEYS.get(key);
    if (signer === undefined || statement.origin !== this.#origin) return this.#violate('a batch of nobody');
    verifyStatement(statement, signer);
    const fault = faultOf(job);
    if (fault !== null) return this.#violate(fault);
    this.batches.push(job);
    if (again || !this.#since.has(key)) this.#since.set(key, since);
    const refusal = this.refuse(job);
    if (refusal !== null) return this.answer(key, { kind: 'refused', stream, first: statement.first, code: refusal });
    const placed = this.#place(job);
    if (placed === 'known') return this.withholds ? undefined : this.sendReceipt(key, [stream]);
    if (placed !== null) return this.answer(key, placed);
    const missing = objectsOf(job.entries).find(({ h, n }) => !this.#hasObject(h, n));
    if (missing !== undefined) return this.#violate('an object that is not there');
    this.#append(job);
    return this.withholds ? undefined : this.sendReceipt(key, [stream]);
  }

  /** Null if the batch is next; else what to answer. */
  #place({ statement, entries, records }: Batch): Reply | 'known' | null {
    const { stream, first, gen, key } = statement;
    const known = this.streams.get(stream);
    const refused = (code: string): Reply => ({ kind: 'refused', stream, first, code });
    const opening = entries[0];
    if (known === undefined) {
      if (first > 0) return { kind: 'want', stream, seq: 0 };
      if (opening?.t !== 'open' || opening.gen !== gen || opening.key !== key) return refused('archive/bad-open');
      return this.headOf(opening.acct).gen >= gen ? refused('archive/old-generation') : null;
    }
    if (known.key !== key || known.gen !== gen) return refused('archive/other-key');
    if (first > known.seq) return { kind: 'want', stream, seq: known.seq };
    if (first === known.seq) {
      const follows = (opening as StreamRecord).prev === known.prev;
      return known.closed ? refused('archive/closed-stream') : follows ? null : refused('archive/fork');
    }
    const at = (entries as readonly StreamRecord[]).findIndex((entry) => endOf(entry) === known.seq - 1);
    const isFork = at >= 0 && idOf(records[at]?.line ?? '') !== known.records.at(-1)?.id;
    return isFork ? refused('archive/fork') : 'known';
  }

  #hasObject(hash: Hex256, size: number): boolean {
    const path = join(this.objects, hash);
    if (!existsSync(path)) return false;
    const bytes = readFileSync(path);
    return bytes.length === size && sha256Hex(bytes) === hash;
  }

  #append({ statement, entries, records, epochs }: Batch): void {
    const opening = entries[0] as StreamRecord;
    const fresh = (): LoggedStream => {
      const { acct, gen, key } = opening as Extract<Entry, { t: 'open' }>;
      return { acct, gen, key, records: [], seq: 0, prev: genesisOf(this.#origin, statement.stream), closed: false };
    };
    const stream = this.streams.get(statement.stream) ?? fresh();
    this.streams.set(statement.stream, stream);
    for (const [index, { line, body }] of records.entries()) {
      const entry = entries[index] as StreamRecord;
      const id = entryId(line);
      stream.records.push({ line, body, entry, id: id.toString('hex'), leaf: this.#tree.size });
      this.#tree.append(id);
      [stream.seq, stream.prev] =
        entry.t === 'hole' ? [entry.seq + entry.count, entry.last] : [entry.seq + 1, id.toString('hex')];
      stream.closed = entry.t === 'close';
    }
    for (const document of epochs) this.documents.set(sha256Hex(document), document);
  }

  sendReceipt(to: KeyId, streams: readonly Hex128[]): void {
    this.answer(to, { kind: 'receipt', receipt: encodeReceipt(this.receipt(streams, this.#since.get(to) ?? 0)) });
    this.#since.set(to, this.size);
  }

  /** A receipt for the heads of streams against the present tree. */
  receipt(streams: readonly Hex128[], since: number): Receipt {
    const checkpoint = signCheckpoint(
      { origin: this.#origin, size: this.size, root: this.#tree.root() },
      LOG.privateKey,
    );
    const items = streams.map((stream) => {
      const { records, seq } = this.streams.get(stream) as LoggedStream;
      const { id, leaf } = records.at(-1) as Logged;
      return { stream, seq: seq - 1, id, leaf, inclusion: this.#tree.inclusionProof(leaf) };
    });
    const consistency = since > 0 && since < this.size ? this.#tree.consistencyProof(since, this.size) : [];
    return { checkpoint, since, consistency, items };
  }

  #violate(what: string): void {
    this.violations.push(what);
  }
}

/** What is wrong with a batch by itself, or null. */
function faultOf({ statement, entries, records, epochs }: Batch): string | null {
  let seq = statement.first;
  let prev: Hex256 | null = null;
  let id = '';
  const documents = new Set(epochs.map(sha256Hex));
  for (const [index, entry] of (entries as readonly StreamRecord[]).entries()) {
    const { line, body } = records[index] as { line: string; body: Buffer | null };
    if (entry.stream !== statement.stream || entry.seq !== seq) return 'a record of another place';
    if (prev !== null && entry.prev !== prev) return 'a broken chain';
    const sealed = sealedPart(entry);
    if (entry.t === 'hole' && index < entries.length - 1) return 'a hole that is not the last';
    if (sealed !== null && (body === null || sha256Hex(body) !== sealed.body.h)) return 'another body';
    if (sealed !== null && !documents.has(sealed.epoch)) return 'a missing epoch';
    id = entryId(line).toString('hex');
    [seq, prev] = entry.t === 'hole' ? [entry.seq + entry.count, entry.last] : [entry.seq + 1, id];
  }
  return id === statement.last ? null : 'records that were not signed';
}

const idOf = (line: string): Hex256 => entryId(line).toString('hex');

function endOf(entry: StreamRecord): number {
  return entry.t === 'hole' ? entry.seq + entry.count - 1 : entry.seq;
}

function objectsOf(entries: readonly Entry[]): BytesRef[] {
  return entries.flatMap((entry) => ('obj' in entry && entry.obj !== undefined ? [...entry.obj] : []));
}
