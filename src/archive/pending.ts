// SPDX-License-Identifier: AGPL-3.0-or-later
import { encodeStatement } from '../record/batch.ts';
import { sealedPart } from '../record/entry.ts';
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import type { Admitted, ParsedBatch, StreamTip } from './admission.ts';

/** A sealed body on its way into a pack. */
export interface PendingBody {
  readonly ret: string;
  /** Position of its header among the segment's entries. */
  readonly index: number;
  readonly bytes: Buffer;
}

/** What waits for the next segment, in the order it was admitted. */
export class Pending {
  readonly statements: string[] = [];
  readonly lines: string[] = [];
  readonly bodies: PendingBody[] = [];
  /** Epoch documents, once each. */
  readonly epochs = new Map<Hex256, string>();
  readonly tips = new Map<Hex128, StreamTip>();
  /** Greatest generation of the streams opened here, by account. */
  readonly gens = new Map<Hex128, number>();
  /** Objects that waiting records name: uploaded, confirmed, and locked for less than the segment that will name them. */
  readonly objects: { readonly stream: Hex128; readonly hash: Hex256 }[] = [];
  bytes = 0;

  add(batch: ParsedBatch, { tip, epochs, objects }: Admitted): void {
    const { statement, entries, records } = batch;
    this.statements.push(encodeStatement(statement));
    for (const [offset, { line, body }] of records.entries()) {
      const sealed = sealedPart(entries[offset] as (typeof entries)[number]);
      if (sealed !== null && body !== null)
        this.bodies.push({ ret: sealed.ret, index: this.lines.length, bytes: body });
      this.lines.push(line);
      this.bytes += line.length + (body?.length ?? 0);
    }
    for (const [hash, document] of epochs) {
      if (!this.epochs.has(hash)) this.bytes += document.length;
      this.epochs.set(hash, document);
    }
    this.tips.set(statement.stream, tip);
    if (statement.first === 0) this.gens.set(tip.acct, tip.gen);
    for (const { h } of objects) this.objects.push({ stream: statement.stream, hash: h });
  }

  get isEmpty(): boolean {
    return this.statements.length === 0;
  }
}
