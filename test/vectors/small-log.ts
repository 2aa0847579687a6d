// SPDX-License-Identifier: AGPL-3.0-or-later
import { signBatch, encodeStatement } from '../../src/record/batch.ts';
import { signCheckpoint, type Checkpoint } from '../../src/record/checkpoint.ts';
import { encodeEntry, entryId, genesisOf } from '../../src/record/entry.ts';
import type { Entry } from '../../src/record/entry-types.ts';
import type { Hash } from '../../src/record/hash.ts';
import { EMPTY_RANGE, type CompactRange } from '../../src/record/merkle.ts';
import type { Receipt, ReceiptItem } from '../../src/record/receipt.ts';
import { encodeSegment, type SegmentParts } from '../../src/record/segment.ts';
import { TreeWindow } from '../../src/record/tree-window.ts';
import { ARCHIVER, AT, CONNECTOR, hexOf, LOG, ORIGIN, STREAM } from './keys.ts';

/** The records of one small stream: it opens, says two things, and closes. */
export function streamLines(stream: string = STREAM): string[] {
  const lines: string[] = [];
  const add = (entry: object): void => {
    const prev = lines.length === 0 ? genesisOf(ORIGIN, stream) : entryId(lines.at(-1) as string).toString('hex');
    lines.push(encodeEntry({ v: 1, at: AT, stream, seq: lines.length, prev, ...entry } as Entry));
  };
  add({ t: 'open', acct: hexOf('account', 32), app: 'signal', role: 'account', gen: 0, key: CONNECTOR.key.id });
  for (const i of [0, 1]) {
    const body = { h: hexOf(`body ${i}`), n: 540 };
    const sealed = { ret: 'GRS-6.1-011', epoch: hexOf('epoch'), i, body, com: hexOf(`com ${i}`) };
    add({ t: 'content', ...sealed, tag: hexOf(`tag ${i}`, 32) });
  }
  add({ t: 'close', reason: 'retired' });
  return lines;
}

/** The statement over all of {@link streamLines}. */
export function streamStatement(lines: readonly string[], stream: string = STREAM): string {
  const last = entryId(lines.at(-1) as string).toString('hex');
  const batch = { origin: ORIGIN, stream, gen: 0, first: 0, count: lines.length, last, key: CONNECTOR.key.id };
  return encodeStatement(signBatch(batch, CONNECTOR.privateKey));
}

export const DOC = '{"ciphertext":"stands for an epoch"}';

/** A segment with one document, one batch, and one entry of the log's own. */
export function segmentParts(before: CompactRange = EMPTY_RANGE, checkpoint: string = ''): SegmentParts {
  const lines = streamLines();
  const key = encodeEntry({ v: 1, at: AT, log: ORIGIN, t: 'key', doc: hexOf('manifest'), kind: 'manifest', n: 0 });
  return { origin: ORIGIN, before, checkpoint, docs: [DOC], batches: [streamStatement(lines)], entries: [...lines, key], at: AT };
}

export function smallSegment(): Buffer {
  return encodeSegment(segmentParts(), ARCHIVER.key, ARCHIVER.privateKey);
}

/** A second segment, behind the first. */
export function nextSegment(): Buffer {
  const log = new SmallLog(segmentParts().entries.map((line) => entryId(line)));
  return encodeSegment(segmentParts(log.tree.range(), log.checkpointNote()), ARCHIVER.key, ARCHIVER.privateKey);
}

/** A log in memory that gives what a real one signs. */
export class SmallLog {
  readonly tree = new TreeWindow(EMPTY_RANGE);
  readonly leaves: readonly Hash[];

  constructor(leaves: readonly Hash[]) {
    this.leaves = leaves;
    for (const leaf of leaves) this.tree.append(leaf);
  }

  checkpoint(size: number = this.tree.size): Checkpoint {
    return { origin: ORIGIN, size, root: this.tree.root(size) };
  }

  checkpointNote(size: number = this.tree.size): string {
    return signCheckpoint(this.checkpoint(size), LOG.privateKey);
  }

  item(leaf: number, size: number = this.tree.size): ReceiptItem {
    const id = (this.leaves[leaf] as Hash).toString('hex');
    return { stream: STREAM, seq: leaf, id, leaf, inclusion: this.tree.inclusionProof(leaf, size) };
  }

  receipt(since: number, leaves: readonly number[], size: number = this.tree.size): Receipt {
    const consistency = since === 0 || since >= size ? [] : this.tree.consistencyProof(since, size);
    return {
      checkpoint: this.checkpointNote(size),
      since,
      consistency,
      items: leaves.map((leaf) => this.item(leaf, size)),
    };
  }
}
