// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FailureCode } from '../base/failure.ts';
import { verifyStatement } from '../record/batch.ts';
import { genesisOf, isStreamRecord, sealedPart } from '../record/entry.ts';
import type { BytesRef, Entry, Hex128, Hex256, StreamRecord } from '../record/entry-types.ts';
import { maySign, mostGenerationOf, sealedUntilMs, type BatchRole } from '../record/enforcement.ts';
import { recipientsOf } from '../record/epoch-document.ts';
import { FormatError, type FormatCode } from '../record/format-error.ts';
import { leafHashHex, sha256Hex } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import { fromSeconds } from '../record/period.ts';
import type { ReceivedBatch } from '../queue/job.ts';
import type { LogState } from './log-state.ts';

/** Where the next record of a stream must follow: the log's head, or that of what waits for the next segment. */
export interface StreamTip {
  readonly acct: Hex128;
  readonly gen: number;
  readonly key: KeyId;
  readonly seq: number;
  /** What the next record's `prev` must be. */
  readonly id: Hex256;
  /** Leaf hash of the last entry; null where only heads are known. */
  readonly leafId: Hex256 | null;
  readonly closed: boolean;
}

/** What a batch is judged against: the log, and what waits for the next segment. */
export interface Judge {
  readonly origin: string;
  readonly state: LogState;
  tipOf(stream: Hex128): StreamTip | undefined;
  /** Greatest generation of an account's streams so far, those that wait included; -1 for none. */
  newestGenOf(acct: Hex128): number;
}

export interface NamedObject extends BytesRef {
  readonly ret: string;
}

export interface Admitted {
  readonly outcome: 'take';
  readonly tip: StreamTip;
  readonly objects: readonly NamedObject[];
  /** The documents that the records name, and no others: a batch's signature does not cover what else a job holds. */
  readonly epochs: ReadonlyMap<Hex256, string>;
}

export type RefusalCode = FailureCode | FormatCode;

export type Admission =
  | Admitted
  /** Already archived or waiting: nothing to do but to say so. */
  | { readonly outcome: 'known' }
  /** Comes too early: the stream's next record must be `seq`. */
  | { readonly outcome: 'want'; readonly seq: number }
  /** Can never be archived as it is. `isSigned`: its statement is by the key it names, so there is somebody to tell. */
  | { readonly outcome: 'refuse'; readonly code: RefusalCode; readonly isSigned: boolean };

/**
 * Judges one batch against the log and what waits. Believes nothing: signature, the signer's role, stream key, generation, continuity,
 * every body's hash and every epoch's document are checked here, before a byte is stored. A manifest enters into force only while
 * nothing waits, so the one in force here is the one in force where the batch will stand in the log.
 */
export function admit(batch: ReceivedBatch, judge: Judge): Admission {
  const { statement } = batch;
  if (statement.origin !== judge.origin) return { outcome: 'refuse', code: 'archive/other-log', isSigned: false };
  const signer = judge.state.batchSigners.get(statement.key);
  if (signer === undefined) return { outcome: 'refuse', code: 'archive/unknown-signer', isSigned: false };
  let isSigned = false;
  try {
    verifyStatement(statement, signer.key);
    isSigned = true;
    return judgeSigned(batch, signer.role, judge);
  } catch (error) {
    if (error instanceof FormatError || error instanceof Refusal)
      return { outcome: 'refuse', code: error.code, isSigned };
    throw error;
  }
}

function judgeSigned(batch: ReceivedBatch, role: BatchRole, judge: Judge): Admission {
  // First of all: until the records are those that were signed, nothing that they say may be held against the signer.
  const chain = followChain(batch);
  const tip = judge.tipOf(batch.statement.stream);
  const placed = place(batch, judge, tip);
  if (placed !== null) return placed;
  if (!batch.records.every(({ entry }) => maySign(role, entry.t))) throw new Refusal('archive/other-role');
  checkBodies(batch);
  const { acct } = tip ?? (firstOf(batch) as Extract<Entry, { t: 'open' }>);
  const { gen, key } = batch.statement;
  return {
    outcome: 'take',
    tip: { acct, gen, key, ...chain },
    objects: objectsOf(batch),
    epochs: epochsOf(batch, judge.state),
  };
}

class Refusal extends Error {
  readonly code: FailureCode;
  constructor(code: FailureCode) {
    super(code);
    this.code = code;
  }
}

/** Where a batch's own chain ends. Refuses records that are not the signed ones, one behind the other. */
function followChain(batch: ReceivedBatch): Pick<StreamTip, 'seq' | 'id' | 'leafId' | 'closed'> {
  const { statement, records } = batch;
  let next = { seq: statement.first, prev: prevOf(firstOf(batch)) };
  let leafId = '';
  let closed = false;
  let before: StreamRecord['t'] | null = null;
  for (const { entry, line } of records) {
    if (!isStreamRecord(entry) || entry.stream !== statement.stream) throw new Refusal('archive/foreign-record');
    if (closed) throw new Refusal('archive/closed-stream');
    if (entry.seq !== next.seq || entry.prev !== next.prev) throw new Refusal('archive/broken-chain');
    // What follows a hole names what was lost and not the hole: the signature would not cover it.
    if (before === 'hole') throw new Refusal('archive/hole-inside');
    leafId = leafHashHex(line);
    next = nextAfter(entry, leafId);
    closed = entry.t === 'close';
    before = entry.t;
  }
  if (leafId !== statement.last) throw new Refusal('archive/broken-chain');
  return { seq: next.seq - 1, id: next.prev, leafId, closed };
}

function firstOf({ records }: ReceivedBatch): Entry | undefined {
  return records[0]?.entry;
}

function prevOf(entry: Entry | undefined): Hex256 {
  return entry !== undefined && isStreamRecord(entry) ? entry.prev : '';
}

/** What the next record must say: a hole stands for all it covers. */
function nextAfter(record: StreamRecord, leafId: Hex256): { seq: number; prev: Hex256 } {
  if (record.t === 'hole') return { seq: record.seq + record.count, prev: record.last };
  return { seq: record.seq + 1, prev: leafId };
}

/** Null if the batch is the stream's next; else what it is instead. */
function place(batch: ReceivedBatch, judge: Judge, tip: StreamTip | undefined): Admission | null {
  const { statement } = batch;
  if (tip === undefined) return placeFirst(batch, judge);
  if (tip.key !== statement.key || tip.gen !== statement.gen) throw new Refusal('archive/other-key');
  if (statement.first > tip.seq + 1) return { outcome: 'want', seq: tip.seq + 1 };
  if (statement.first <= tip.seq) return placeBehind(batch, tip);
  if (tip.closed) throw new Refusal('archive/closed-stream');
  if (prevOf(firstOf(batch)) !== tip.id) throw new Refusal('archive/fork');
  return null;
}

function placeFirst(batch: ReceivedBatch, judge: Judge): Admission | null {
  const { statement } = batch;
  if (statement.first > 0) return { outcome: 'want', seq: 0 };
  const opening = firstOf(batch);
  if (opening?.t !== 'open' || opening.gen !== statement.gen || opening.key !== statement.key)
    throw new Refusal('archive/bad-open');
  if (opening.prev !== genesisOf(judge.origin, statement.stream)) throw new Refusal('archive/broken-chain');
  const newest = judge.newestGenOf(opening.acct);
  if (newest >= opening.gen) throw new Refusal('archive/old-generation');
  if (!(opening.gen <= mostGenerationOf(opening, newest))) throw new Refusal('archive/far-generation');
  return null;
}

/** The record that ends at our head must be the one we have; what lies before it was judged when it came. */
function placeBehind({ records }: ReceivedBatch, tip: StreamTip): Admission {
  for (const { entry, line } of records) {
    const leafId = leafHashHex(line);
    const { seq, prev } = nextAfter(entry as StreamRecord, leafId);
    if (seq !== tip.seq + 1) continue;
    const isOurs = tip.leafId === null ? prev === tip.id : leafId === tip.leafId;
    if (!isOurs) throw new Refusal('archive/fork');
  }
  return { outcome: 'known' };
}

function checkBodies({ records }: ReceivedBatch): void {
  for (const { entry, body } of records) {
    const sealed = sealedPart(entry);
    if (sealed !== null && (body === null || sha256Hex(body) !== sealed.body.h))
      throw new Refusal('archive/other-body');
  }
}

function epochsOf({ records, epochs }: ReceivedBatch, state: LogState): Map<Hex256, string> {
  const sent = new Map(epochs.map((document) => [sha256Hex(document), document]));
  const named = new Map<Hex256, string>();
  for (const [epoch, newestMs] of usesOf(records)) {
    const document = sent.get(epoch);
    if (document === undefined) throw new Refusal('archive/missing-epoch');
    const untilMs = sealedUntilMs(recipientsOf(document) ?? [], state.manifests);
    if (untilMs === -Infinity) throw new Refusal('archive/foreign-recipient');
    if (!(newestMs <= untilMs)) throw new Refusal('archive/retired-recipient');
    named.set(epoch, document);
  }
  return named;
}

/** The epochs that records name, each with the latest date of its records. */
function usesOf(records: ReceivedBatch['records']): Map<Hex256, number> {
  const uses = new Map<Hex256, number>();
  for (const { entry } of records) {
    const epoch = sealedPart(entry)?.epoch;
    if (epoch !== undefined) uses.set(epoch, Math.max(uses.get(epoch) ?? -Infinity, fromSeconds(entry.at)));
  }
  return uses;
}

/** Once each, although several records may name the same. */
function objectsOf({ records }: ReceivedBatch): NamedObject[] {
  const objects = new Map<string, NamedObject>();
  for (const { entry } of records) {
    if ((entry.t !== 'content' && entry.t !== 'media') || entry.obj === undefined) continue;
    for (const { h, n } of entry.obj) objects.set(`${h} ${n} ${entry.ret}`, { h, n, ret: entry.ret });
  }
  return [...objects.values()];
}
