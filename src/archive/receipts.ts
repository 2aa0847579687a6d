// SPDX-License-Identifier: AGPL-3.0-or-later
import { codeOf } from '../base/failure.ts';
import type { Hex128 } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import type { Hash } from '../record/hash.ts';
import type { KeyId } from '../record/key.ts';
import { encodeReceipt, type ReceiptItem } from '../record/receipt.ts';
import type { Reply } from '../queue/reply.ts';
import type { ArchivedStream, LogState, SignedSize } from './log-state.ts';
import type { PastTree } from './past-tree.ts';

/** Streams in one receipt; more take several. */
const MOST_ITEMS = 64;

export interface ReceiptParts {
  readonly state: LogState;
  readonly past: PastTree;
  /** Leaves whose packs read back well. */
  readonly readBackLeaves: () => number;
  /** Resolves with false if the reply is lost for certain. MUST NOT reject. */
  readonly reply: (to: KeyId, reply: Reply) => Promise<boolean>;
  readonly trouble: (code: string) => void;
}

/** One connector's return path, as far as this run knows it. */
interface Desk {
  /** Size of the log at the last receipt the connector has: what its next one must follow. */
  since: number;
  /** How often the connector sent something again for want of a receipt. */
  repeats: number;
  /** The last read-back it was told. */
  told: number;
  /** Streams whose heads it is to be given proof of. */
  readonly due: Set<Hex128>;
  serving: Promise<void> | null;
  /** Something new has to be sent since serving began. */
  isCalled: boolean;
}

/**
 * Makes and sends receipts: what a connector sent is in the log, and the log only grew. Receipts of one connector go one after
 * the other, each against the newest checkpoint and following the one before, and never in the way of the next segment: a
 * connector or transport that is slow gets fewer and larger ones.
 */
export class Receipts {
  readonly #parts: ReceiptParts;
  readonly #desks = new Map<KeyId, Desk>();

  constructor(parts: ReceiptParts) {
    this.#parts = parts;
  }

  /**
   * What a connector says it accepted last; said by a job, so by anybody who can write to the queue. A false word costs receipts
   * that do not verify until the connector sends again. Only a batch that is repeated for want of its receipt takes back what we
   * know: others may have been sent before a receipt arrived.
   */
  hear(connector: KeyId, since: number, isRepeated: boolean): void {
    const known = this.#desks.get(connector);
    const desk = known ?? { since: 0, repeats: 0, told: 0, due: new Set(), serving: null, isCalled: false };
    this.#desks.set(connector, desk);
    if (isRepeated) desk.repeats += 1;
    if (known !== undefined && !isRepeated && since <= desk.since) return;
    // If it is true, the connector holds our signature over a longer log than this one. It will accept no receipt then.
    if (since < 0 || since > this.#parts.state.size) return this.#parts.trouble('archive/behind-receipt');
    desk.since = since;
  }

  /** Proofs for these streams of a connector that was heard are wanted. Does not wait for them. */
  due(connector: KeyId, streams: Iterable<Hex128>): void {
    const desk = this.#desks.get(connector);
    if (desk === undefined) return;
    for (const stream of streams) desk.due.add(stream);
    this.#serve(connector, desk);
  }

  /** Tells all connectors how far packs were read back. */
  tellReadBack(): void {
    for (const [connector, desk] of this.#desks) this.#serve(connector, desk);
  }

  #serve(connector: KeyId, desk: Desk): void {
    desk.isCalled = true;
    desk.serving ??= this.#serveAll(connector, desk).finally(() => (desk.serving = null));
  }

  async #serveAll(connector: KeyId, desk: Desk): Promise<void> {
    // Not within the call: whoever commits or admits goes on first.
    await Promise.resolve();
    while (desk.isCalled) {
      desk.isCalled = false;
      while (desk.due.size > 0) {
        const streams = [...desk.due].slice(0, MOST_ITEMS);
        for (const stream of streams) desk.due.delete(stream);
        await this.#sendReceipt(connector, desk, streams);
      }
      await this.#tellReadBack(connector, desk);
    }
  }

  /** What fails here is asked for again by the connector. */
  async #sendReceipt(connector: KeyId, desk: Desk, streams: readonly Hex128[]): Promise<void> {
    const { since, repeats } = desk;
    const now = this.#parts.state.signed();
    try {
      const receipt = await this.#make(since, streams, now);
      const wasSent = await this.#parts.reply(connector, { kind: 'receipt', receipt });
      // Meanwhile the connector may have waited too long, perhaps for this one, and said again what it has.
      if (wasSent && desk.repeats === repeats) desk.since = Math.max(desk.since, now.size);
    } catch (error) {
      this.#parts.trouble(error instanceof FormatError ? error.code : codeOf(error));
    }
  }

  /** Only what receipts have proven to the connector: it accepts no more. */
  async #tellReadBack(connector: KeyId, desk: Desk): Promise<void> {
    const leaves = Math.min(this.#parts.readBackLeaves(), desk.since);
    if (leaves <= desk.told) return;
    if (await this.#parts.reply(connector, { kind: 'readback', leaves })) desk.told = leaves;
  }

  async #make(since: number, streams: readonly Hex128[], now: SignedSize): Promise<string> {
    const { window } = this.#parts.state;
    const heads = streams.flatMap((stream) => this.#parts.state.stream(stream) ?? []);
    const isRecent = ({ leaf, leafId }: ArchivedStream): boolean => leaf >= window.base && leafId !== null;
    // First all that takes no waiting: behind it the window may have moved on.
    const items: ReceiptItem[] = heads
      .filter(isRecent)
      .map((head) => itemOf(head, head.leafId as string, window.inclusionProof(head.leaf, now.size)));
    const follows = since > 0 && since < now.size;
    const recent = follows && since >= window.base ? window.consistencyProof(since, now.size) : null;
    for (const head of heads.filter((one) => !isRecent(one))) {
      const { id, inclusion } = await this.#parts.past.inclusionProof(head.leaf, now);
      items.push(itemOf(head, id.toString('hex'), inclusion));
    }
    const consistency = recent ?? (follows ? await this.#parts.past.consistencyProof(since, now) : []);
    return encodeReceipt({ checkpoint: now.checkpoint, since, consistency, items });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    for (;;) {
      const serving = [...this.#desks.values()].flatMap((desk) => desk.serving ?? []);
      if (serving.length === 0) return;
      await Promise.all(serving);
    }
  }
}

function itemOf({ stream, seq, leaf }: ArchivedStream, id: string, inclusion: readonly Hash[]): ReceiptItem {
  return { stream, seq, id, leaf, inclusion };
}
