// SPDX-License-Identifier: AGPL-3.0-or-later
import { verifyStatement } from '../record/batch.ts';
import { entryId, genesisOf, isStreamRecord, sealedPart } from '../record/entry.ts';
import type { BytesRef, Entry, Hex128, Hex256, StreamRecord } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import type { ParsedJob } from '../queue/job.ts';
import { isForRecipients } from '../record/epoch-document.ts';
import type { LogState } from './log-state.ts';

export type ParsedBatch = Extract<ParsedJob, { kind: 'batch' }>;

/** Where the next record of a stream must follow: the log's head, or that of what waits for the next segment. */
export interface StreamTip {
  readonly acct: Hex128;
  readonly gen: number;
  readonly key: KeyId;
  readonly seq: number;
  /** What the next record's `prev` must be. */
  readonly id: Hex256;
  /** Leaf hash of the last entry. */
  readonly leafId: Hex256;
  readonly closed: boolean;
}

export type Admission =
  | { readonly outcome: 'take'; readonly tip: StreamTip; readonly objects: readonly (BytesRef & { ret: string })[] }
  /** Already archived or waiting: nothing to do but to say so. */
  | { readonly outcome: 'known' }
  /** Comes too early: the stream's next record must be `seq`. */
  | { readonly outcome: 'want'; readonly seq: number }
  /** Can never be archived. */
  | { readonly outcome: 'refuse'; readonly code: string };

const refuse = (code: string): Admission => ({ outcome: 'refuse', code });

/**
 * Judges one batch against the log and what waits. Believes nothing: signature, stream key, generation, continuity, every body's
 * hash and every epoch's document are checked here, before a byte is stored.
 */
export function admit(batch: ParsedBatch, origin: string, state: LogState, tip: StreamTip | undefined): Admission {
  const { statement } = batch;
  const signer = state.batchSigners.get(statement.key);
  if (statement.origin !== origin) return refuse('archive/other-log');
  if (signer === undefined) return refuse('archive/unknown-signer');
  try {
    verifyStatement(statement, signer);
    const placed = place(batch, state, tip);
    if (placed !== null) return placed;
    const last = followChain(batch, origin, tip);
    checkBodies(batch);
    checkEpochs(batch, state);
    return { outcome: 'take', tip: last, objects: objectsOf(batch.entries) };
  } catch (error) {
    if (error instanceof FormatError) return refuse(error.code);
    if (error instanceof Refusal) return refuse(error.code);
    throw error;
  }
}

class Refusal extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Null if the batch is the stream's next; else what it is instead. */
function place({ statement, entries }: ParsedBatch, state: LogState, tip: StreamTip | undefined): Admission | null {
  if (tip === undefined) {
    if (statement.first > 0) return { outcome: 'want', seq: 0 };
    const [opening] = entries;
    if (opening?.t !== 'open' || opening.gen !== statement.gen || opening.key !== statement.key)
      return refuse('archive/bad-open');
    const newest = state.newestStreamOf(opening.acct);
    return newest !== undefined && newest.gen >= opening.gen ? refuse('archive/old-generation') : null;
  }
  if (tip.key !== statement.key || tip.gen !== statement.gen) return refuse('archive/other-key');
  if (statement.first > tip.seq + 1) return { outcome: 'want', seq: tip.seq + 1 };
  if (statement.first <= tip.seq) return placeBehind(statement.last, entries, tip);
  return tip.closed ? refuse('archive/closed-stream') : null;
}

/** What ends at our head must be what we have; what ends before it was judged when it came. */
function placeBehind(last: Hex256, entries: readonly Entry[], tip: StreamTip): Admission {
  const end = entries.at(-1);
  const lastSeq = end === undefined || !isStreamRecord(end) ? -1 : end.t === 'hole' ? end.seq + end.count - 1 : end.seq;
  if (lastSeq === tip.seq && last !== tip.leafId) return refuse('archive/fork');
  return { outcome: 'known' };
}

function followChain(
  { statement, entries, records }: ParsedBatch,
  origin: string,
  tip: StreamTip | undefined,
): StreamTip {
  let seq = tip === undefined ? -1 : tip.seq;
  let prev = tip === undefined ? genesisOf(origin, statement.stream) : tip.id;
  let leafId = '';
  let closed = false;
  for (const [index, entry] of entries.entries()) {
    if (!isStreamRecord(entry) || entry.stream !== statement.stream) throw new Refusal('archive/foreign-record');
    if (closed) throw new Refusal('archive/closed-stream');
    if (entry.seq !== seq + 1 || entry.prev !== prev) throw new Refusal('archive/broken-chain');
    leafId = entryId((records[index] as { line: string }).line).toString('hex');
    [seq, prev] = afterRecord(entry, leafId);
    closed = entry.t === 'close';
  }
  if (leafId !== statement.last) throw new Refusal('archive/broken-chain');
  const { acct } = tip ?? (entries[0] as Extract<Entry, { t: 'open' }>);
  return { acct, gen: statement.gen, key: statement.key, seq, id: prev, leafId, closed };
}

/** Number and id that the next record follows: a hole stands for all it covers. */
function afterRecord(record: StreamRecord, leafId: Hex256): [number, Hex256] {
  return record.t === 'hole' ? [record.seq + record.count - 1, record.last] : [record.seq, leafId];
}

function checkBodies({ entries, records }: ParsedBatch): void {
  for (const [index, entry] of entries.entries()) {
    const sealed = sealedPart(entry);
    const body = records[index]?.body ?? null;
    if (sealed !== null && (body === null || sha256Hex(body) !== sealed.body.h))
      throw new Refusal('archive/other-body');
  }
}

function checkEpochs({ entries, epochs }: ParsedBatch, state: LogState): void {
  const documents = new Map(epochs.map((document) => [sha256Hex(document), document]));
  for (const epoch of new Set(entries.map((entry) => sealedPart(entry)?.epoch))) {
    if (epoch === undefined) continue;
    const document = documents.get(epoch);
    if (document === undefined) throw new Refusal('archive/missing-epoch');
    if (!state.manifests.some((manifest) => isForRecipients(document, manifest)))
      throw new Refusal('archive/foreign-recipient');
  }
}

function objectsOf(entries: readonly Entry[]): (BytesRef & { ret: string })[] {
  return entries.flatMap((entry) =>
    (entry.t === 'content' || entry.t === 'media') && entry.obj !== undefined
      ? entry.obj.map(({ h, n }) => ({ h, n, ret: entry.ret }))
      : [],
  );
}
