// SPDX-License-Identifier: AGPL-3.0-or-later
import { encodeStatement } from '../record/batch.ts';
import { sealedPart } from '../record/entry.ts';
import type { Hex128, Hex256 } from '../record/entry-types.ts';
import { sha256Hex } from '../record/hash.ts';
import type { ParsedBatch, StreamTip } from './admission.ts';
import type { Lock } from './store.ts';

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
  /** Locks of objects that the records name: the segment must outlive them. */
  readonly objectLocks: Lock[] = [];
  bytes = 0;

  add(batch: ParsedBatch, tip: StreamTip, objectLocks: readonly Lock[]): void {
    const { statement, epochs, entries, records } = batch;
    this.statements.push(encodeStatement(statement));
    for (const [offset, { line, body }] of records.entries()) {
      const sealed = sealedPart(entries[offset] as (typeof entries)[number]);
      if (sealed !== null && body !== null)
        this.bodies.push({ ret: sealed.ret, index: this.lines.length, bytes: body });
      this.lines.push(line);
      this.bytes += line.length + (body?.length ?? 0);
    }
    for (const document of epochs) this.epochs.set(sha256Hex(document), document);
    this.tips.set(statement.stream, tip);
    this.objectLocks.push(...objectLocks);
  }

  get isEmpty(): boolean {
    return this.statements.length === 0;
  }
}
