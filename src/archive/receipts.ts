// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Hex128 } from '../record/entry-types.ts';
import type { Hash } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import { encodeReceipt, type ReceiptItem } from '../record/receipt.ts';
import type { ArchivedStream, LogState } from './log-state.ts';

/** Streams in one receipt; more take several. */
const MOST_ITEMS = 64;
/** A connector's last receipt may be this much older than the window before proofs are refused: 64 bytes a leaf of memory. */
export const MOST_LEAVES_BACK = 2 ** 21;

/** Makes receipts: what a connector sent is in the log, and the log only grew. */
export class Receipts {
  readonly #state: LogState;
  /** Size of the log at the last receipt sent to a connector. */
  readonly #since = new Map<KeyId, number>();

  constructor(state: LogState) {
    this.#state = state;
  }

  /** What a connector says it accepted last. Only a repeated batch resets what we know: a receipt may have been lost. */
  hear(connector: KeyId, since: number, again: boolean): void {
    if (again || !this.#since.has(connector)) this.#since.set(connector, since);
  }

  sinceOf(connector: KeyId): number {
    return this.#since.get(connector) ?? 0;
  }

  /** True if this stream's head can be proven without reading back. */
  canProve({ leaf }: ArchivedStream): boolean {
    return leaf >= this.#state.window.base;
  }

  /** Receipts for these streams of one connector, against the present checkpoint. */
  make(connector: KeyId, streams: Iterable<Hex128>): string[] {
    const { window, checkpoint, size } = this.#state;
    const items = [...streams].flatMap((stream) => this.#item(stream));
    const since = Math.min(this.sinceOf(connector), size);
    const receipts: string[] = [];
    for (let at = 0; at < items.length; at += MOST_ITEMS) {
      const known = at === 0 ? since : size;
      const consistency: Hash[] = known > 0 && known < size ? window.consistencyProof(known, size) : [];
      receipts.push(encodeReceipt({ checkpoint, since: known, consistency, items: items.slice(at, at + MOST_ITEMS) }));
    }
    if (receipts.length > 0) this.#since.set(connector, size);
    return receipts;
  }

  #item(stream: Hex128): ReceiptItem[] {
    const state = this.#state.stream(stream);
    if (state === undefined || !this.canProve(state)) return [];
    const { seq, leafId, leaf } = state;
    return [{ stream, seq, id: leafId, leaf, inclusion: this.#state.window.inclusionProof(leaf) }];
  }
}
