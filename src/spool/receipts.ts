// SPDX-License-Identifier: AGPL-3.0-or-later
import { openCheckpoint, type Checkpoint } from '../record/checkpoint.ts';
import { Failure } from '../base/failure.ts';
import type { NoteKey } from '../record/note.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { verifyReceipt, type Receipt, type ReceiptItem } from '../record/receipt.ts';
import type { Unit } from './committer.ts';
import type { SpoolParts } from './spool.ts';
import type { SpoolStream } from './streams.ts';

/** What a receipt says of a stream: it covers ours, or the log knows more or other than this spool. */
export type ReceiptOutcome = { readonly archived: readonly SpoolStream[]; readonly doubtful: readonly Hex128[] };

/** Turns receipts, once proven, into "archived". */
export class ReceiptBook {
  readonly #parts: SpoolParts;
  #last: Checkpoint | null;
  #readBack: number;

  constructor(parts: SpoolParts) {
    this.#parts = parts;
    this.#last = openLast(parts.meta.get('checkpoint'), parts.options.logKey);
    this.#readBack = Math.min(Number(parts.meta.get('readback') ?? 0), this.since);
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
    const { streams, batches, options } = this.#parts;
    const stream = streams.get(item.stream);
    if (stream === undefined || item.seq <= stream.archivedSeq) return;
    if (batches.lastIdAt(stream, item.seq) !== item.id) {
      outcome.doubtful.push(item.stream);
      return;
    }
    batches.archive(unit, stream, item.seq, { leaf: item.leaf, nowMs: options.clock() });
    outcome.archived.push(stream);
  }

  #keep(unit: Unit, checkpoint: Checkpoint, note: string): void {
    if (this.#last !== null && checkpoint.size <= this.#last.size) return;
    const before = this.#last;
    unit.undo(() => (this.#last = before));
    this.#last = checkpoint;
    this.#parts.meta.set('checkpoint', note);
  }

  /**
   * Takes the archiver's word that the packs of the first `leaves` leaves read back well. Beyond what receipts proved it is taken
   * only up to there.
   */
  async acceptReadBack(leaves: number): Promise<void> {
    await this.#parts.committer.run((unit) => {
      const before = this.#readBack;
      const proven = Math.min(leaves, this.since);
      if (!(proven > before)) return;
      unit.undo(() => (this.#readBack = before));
      this.#readBack = proven;
      this.#parts.meta.set('readback', String(proven));
    });
  }
}

function openLast(note: string | null, logKey: NoteKey): Checkpoint | null {
  try {
    return note === null ? null : openCheckpoint(note, logKey);
  } catch (cause) {
    throw new Failure('spool/other-log', {
      expected: 'receipts of the log that the trust file names',
      got: 'a checkpoint under another key',
      fix: 'give every log a spool directory of its own',
      cause,
    });
  }
}
