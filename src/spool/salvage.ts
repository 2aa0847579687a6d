// SPDX-License-Identifier: AGPL-3.0-or-later
import { parseEntry } from '../record/entry.ts';
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import { carveRows, type Value } from './carve.ts';
import { joined, orphanOf, type Orphan } from './orphans.ts';
import { soundEntry, type StoredRecord } from './outbox.ts';

/** What a damaged database still tells besides its records. */
interface Index {
  /** Documents of epochs. */
  readonly documents: Map<Hex256, string>;
  readonly accounts: Map<Hex128, Hex128>;
  /** Last record of a stream that was proven archived. */
  readonly archived: Map<Hex128, number>;
}

export interface Salvaged {
  readonly stream: Hex128;
  readonly seq: number;
  readonly id: Hex256;
  /** Null if nothing says whose it is. */
  readonly acct: Hex128 | null;
  readonly orphan: Orphan;
}

/**
 * The records of a damaged database that had no receipt and still hold what was written. Records of streams of which nothing else
 * is left all count as without a receipt: rather twice in the log than not at all.
 */
export async function* salvage(path: string): AsyncGenerator<Salvaged> {
  const index: Index = { documents: new Map(), accounts: new Map(), archived: new Map() };
  for await (const row of carveRows(path)) readIndex(index, row);
  for await (const row of carveRows(path)) {
    const record = recordOf(row);
    const entry = record === null ? null : soundEntry(record);
    if (record === null || entry === null || !('stream' in entry)) continue;
    if (entry.seq <= (index.archived.get(entry.stream) ?? -1)) continue;
    const document = 'epoch' in entry && entry.epoch !== undefined ? (index.documents.get(entry.epoch) ?? '') : '';
    const orphan = orphanOf(joined(record.line, document, record.body));
    const { stream, seq } = entry;
    yield { stream, seq, id: record.id, acct: index.accounts.get(stream) ?? null, orphan };
  }
}

/** Rows are told apart by their shape, and believed for the hashes in them. */
function readIndex(index: Index, row: readonly Value[]): void {
  if (row.length === EPOCH_COLUMNS) {
    const [, id, document] = row;
    if (typeof id === 'string' && typeof document === 'string' && sha256Hex(document) === id)
      index.documents.set(id, document);
  }
  if (row.length === STREAM_COLUMNS) readStream(index, row);
}

const EPOCH_COLUMNS = 4;
const STREAM_COLUMNS = 12;

/** A stream's row is believed where its own copy of the opening says the same. Of several versions the one that knows most receipts. */
function readStream({ accounts, archived }: Index, row: readonly Value[]): void {
  const [, stream, acct, , , gen, headSeq, , fixedSeq, archivedSeq, , opening] = row;
  try {
    const entry = parseEntry(String(opening));
    if (entry.t !== 'open' || entry.stream !== stream || entry.acct !== acct || entry.gen !== gen) return;
    accounts.set(stream, acct);
    const counts = [archivedSeq, fixedSeq, headSeq].map(Number);
    const ordered = counts.every(
      (count, at) => Number.isSafeInteger(count) && count >= (at === 0 ? -1 : (counts[at - 1] ?? 0)),
    );
    if (ordered) archived.set(stream, Math.max(archived.get(stream) ?? -1, Number(archivedSeq)));
  } catch {
    // Not a stream's row, or one that rotted.
  }
}

function recordOf(row: readonly Value[]): StoredRecord | null {
  const [, id, line, body] = row;
  const fits = row.length === 4 && Buffer.isBuffer(id) && typeof line === 'string';
  if (!fits || !(body === null || Buffer.isBuffer(body))) return null;
  const seq = Number(/"seq":(\d{1,15}),/.exec(line)?.[1] ?? -1);
  return { seq, id: id.toString('hex'), line, body };
}
