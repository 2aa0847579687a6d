// SPDX-License-Identifier: AGPL-3.0-or-later
import type { StatementSync } from 'node:sqlite';
import { openCheckpoint, type Checkpoint } from '../record/checkpoint.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { verifyReceipt, type Receipt, type ReceiptItem } from '../record/receipt.ts';
import type { Batches } from './batches.ts';
import type { Unit } from './committer.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

/** What a receipt says of a stream: it covers ours, or the log knows more or other than this spool. */
export type ReceiptOutcome = { readonly archived: readonly SpoolStream[]; readonly doubtful: readonly Hex128[] };

/** Turns receipts, once proven, into "archived". */
export class ReceiptBook {
  readonly #parts: SpoolParts;
  readonly #batches: Batches;
  readonly #markBatches: StatementSync;
  readonly #saveMeta: StatementSync;
  #last: Checkpoint | null;
  #readBack: number;

  constructor(parts: SpoolParts, batches: Batches) {
    this.#parts = parts;
    this.#batches = batches;
    this.#markBatches = parts.db.prepare(
      'UPDATE batches SET archived_ms = ?, leaf = ? WHERE stream_no = ? AND last <= ? AND archived_ms IS NULL',
    );
    this.#saveMeta = parts.db.prepare('INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)');
    const load = parts.db.prepare('SELECT value FROM meta WHERE name = ?');
    const note = load.get('checkpoint') as { value: string } | undefined;
    this.#last = note === undefined ? null : openCheckpoint(note.value, parts.options.logKey);
    this.#readBack = ((load.get('readback') as { value: number } | undefined) ?? { value: 0 }).value;
  }

  /** Size of the log at the last accepted receipt. */
  get since(): number {
    return this.#last?.size ?? 0;
  }

  /** Leaves whose packs the archiver read back and found right. */
  get readBack(): number {
    return this.#readBack;
  }

  /**
   * Verifies a receipt and, durably, marks what it covers. Throws a `FormatError` if it does not prove what it says. A stream of
   * which the log holds more, or other, than this spool comes back as doubtful: this spool is not what wrote it last.
   */
  async accept(receipt: Receipt): Promise<ReceiptOutcome> {
    return this.#parts.committer.run((unit) => {
      const checkpoint = verifyReceipt(receipt, this.#parts.options.logKey, this.#last);
      const outcome = { archived: [] as SpoolStream[], doubtful: [] as Hex128[] };
      for (const item of receipt.items) this.#acceptItem(unit, item, outcome);
      this.#keep(unit, checkpoint, receipt.checkpoint);
      return outcome;
    });
  }

  #acceptItem(unit: Unit, item: ReceiptItem, outcome: { archived: SpoolStream[]; doubtful: Hex128[] }): void {
    const stream = this.#parts.streams.get(item.stream);
    if (stream === undefined || item.seq <= stream.archivedSeq) return;
    if (this.#batches.lastIdAt(stream, item.seq) !== item.id) {
      outcome.doubtful.push(item.stream);
      return;
    }
    this.#markBatches.run(this.#parts.options.clock(), item.leaf, stream.no, item.seq);
    this.#batches.dropBoundaries(unit, stream, item.seq);
    this.#parts.streams.change(unit, stream, { archivedSeq: item.seq });
    outcome.archived.push(stream);
  }

  #keep(unit: Unit, checkpoint: Checkpoint, note: string): void {
    if (this.#last !== null && checkpoint.size <= this.#last.size) return;
    const before = this.#last;
    unit.undo(() => (this.#last = before));
    this.#last = checkpoint;
    this.#saveMeta.run('checkpoint', note);
  }

  /** Takes the archiver's word that the packs of the first `leaves` leaves read back well. Never beyond what receipts proved. */
  async acceptReadBack(leaves: number): Promise<void> {
    if (leaves > this.since)
      throw new FormatError('format/receipt', `a read-back within ${this.since} leaves`, String(leaves));
    if (leaves <= this.#readBack) return;
    await this.#parts.committer.run(() => this.#saveMeta.run('readback', leaves));
    this.#readBack = leaves;
  }
}
