// SPDX-License-Identifier: AGPL-3.0-or-later
import { encodeStatement } from '../record/batch.ts';
import { sealedPart } from '../record/entry.ts';
import type { Entry, Hex128, Hex256 } from '../record/entry-types.ts';
import type { ReceivedBatch } from '../queue/job.ts';
import type { Admitted, StreamTip } from './admission.ts';

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
  /** The records of all statements, and their lines as they arrived. */
  readonly entries: Entry[] = [];
  readonly lines: Buffer[] = [];
  readonly bodies: PendingBody[] = [];
  /** Epoch documents, once each. */
  readonly epochs = new Map<Hex256, string>();
  readonly tips = new Map<Hex128, StreamTip>();
  /** Greatest generation of the streams opened here, by account. */
  readonly gens = new Map<Hex128, number>();
  /** Objects that waiting records name: uploaded, confirmed, and locked for less than the segment that will name them. */
  readonly objects: { readonly stream: Hex128; readonly hash: Hex256 }[] = [];
  bytes = 0;

  add(batch: ReceivedBatch, { tip, epochs, objects }: Admitted): void {
    const { statement, records, lines } = batch;
    this.statements.push(encodeStatement(statement));
    for (const { entry, body } of records) {
      const sealed = sealedPart(entry);
      if (sealed !== null && body !== null)
        this.bodies.push({ ret: sealed.ret, index: this.entries.length, bytes: body });
      this.entries.push(entry);
      this.bytes += body?.length ?? 0;
    }
    this.lines.push(lines);
    this.bytes += lines.length;
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
