// SPDX-License-Identifier: Apache-2.0
import { canonicalize, parseCanonical, type Json } from './canonical.ts';
import { openCheckpoint, type Checkpoint } from './checkpoint.ts';
import type { StreamHead } from './entry-types.ts';
import { FormatError } from './format-error.ts';
import type { Hash } from './hash.ts';
import { decodeBase64 } from './key.ts';
import { verifyConsistency, verifyInclusion } from './merkle.ts';
import type { NoteKey } from './note.ts';

const CONTEXT = 'holdfast receipt v1';
const HEX_128 = /^[0-9a-f]{32}$/;
const HEX_256 = /^[0-9a-f]{64}$/;

/** One record, and through its chain every earlier record of its stream, is in the log. */
export interface ReceiptItem extends StreamHead {
  readonly leaf: number;
  readonly inclusion: readonly Hash[];
}

/** What a connector gets back for what it sent: proofs against one checkpoint. */
export interface Receipt {
  /** The signed checkpoint all proofs lead to. */
  readonly checkpoint: string;
  /** Size of the log at the connector's last accepted receipt; 0 if it has none. */
  readonly since: number;
  /** Proof that the log of `since` leaves is the beginning of this one. */
  readonly consistency: readonly Hash[];
  readonly items: readonly ReceiptItem[];
}

const base64 = (hash: Hash): string => hash.toString('base64');

export function encodeReceipt({ checkpoint, since, consistency, items }: Receipt): string {
  return canonicalize({
    ctx: CONTEXT,
    checkpoint,
    since,
    consistency: consistency.map(base64),
    items: items.map(({ stream, seq, id, leaf, inclusion }) => ({
      stream,
      seq,
      id,
      leaf,
      inclusion: inclusion.map(base64),
    })),
  });
}

function malformed(expected: string): FormatError {
  return new FormatError('format/receipt', expected, 'another value');
}

function sizeOf(value: Json | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed('a number of leaves');
  return value;
}

function hashesOf(value: Json | undefined): Hash[] {
  if (!Array.isArray(value)) throw malformed('a list of hashes');
  return value.map((hash: Json) => {
    if (typeof hash !== 'string') throw malformed('a base64 hash');
    return decodeBase64('format/proof', hash);
  });
}

function parseItem(value: Json): ReceiptItem {
  const { stream, seq, id, leaf, inclusion } = (value ?? {}) as Readonly<Record<string, Json>>;
  if (typeof stream !== 'string' || typeof id !== 'string' || !HEX_128.test(stream) || !HEX_256.test(id)) {
    throw malformed('a receipt item');
  }
  return { stream, seq: sizeOf(seq), id, leaf: sizeOf(leaf), inclusion: hashesOf(inclusion) };
}

export function parseReceipt(text: string): Receipt {
  const value = parseCanonical(text);
  const { ctx, checkpoint, since, consistency, items } = (value ?? {}) as Readonly<Record<string, Json>>;
  if (ctx !== CONTEXT || typeof checkpoint !== 'string' || !Array.isArray(items)) throw malformed('a receipt');
  const receipt = { checkpoint, since: sizeOf(since), consistency: hashesOf(consistency), items: items.map(parseItem) };
  if (encodeReceipt(receipt) !== text) throw malformed('no other members');
  return receipt;
}

/**
 * Checks a receipt with the log's public key against the last checkpoint its holder accepted. Returns the new checkpoint.
 * Throws a `FormatError` if anything does not hold; the records then count as not archived and are sent again.
 */
export function verifyReceipt(receipt: Receipt, logKey: NoteKey, last: Checkpoint | null): Checkpoint {
  const checkpoint = openCheckpoint(receipt.checkpoint, logKey);
  for (const { id, leaf, inclusion } of receipt.items) {
    verifyInclusion(Buffer.from(id, 'hex'), leaf, checkpoint.size, inclusion, checkpoint.root);
  }
  if (last === null || last.size === 0) return checkpoint;
  if (checkpoint.size === last.size) {
    if (!checkpoint.root.equals(last.root))
      throw new FormatError('format/root', 'the root accepted before', 'another root');
    return last;
  }
  if (receipt.since !== last.size) {
    throw new FormatError('format/receipt', `consistency since size ${last.size}`, `since ${receipt.since}`);
  }
  verifyConsistency(last.size, checkpoint.size, receipt.consistency, last.root, checkpoint.root);
  return checkpoint;
}
