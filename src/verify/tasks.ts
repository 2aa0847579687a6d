// SPDX-License-Identifier: Apache-2.0
import { FormatError } from '../record/format-error.ts';
import { HASH_BYTES, leafHash, sha256Hex } from '../record/hash.ts';
import { parseSigningKey, type SigningKey } from '../record/key.ts';
import { parseBundle } from '../record/tile-builder.ts';
import { judgePack, type PackVerdict } from './pack-bytes.ts';
import { summarise } from './summarise.ts';
import type { SegmentSummary, UnreadableSegment } from './summary.ts';

/** Work for a thread: only bytes and plain values, so that it can cross. */
export type Task =
  | { readonly kind: 'segment'; readonly bytes: Uint8Array; readonly origin: string; readonly cuts: readonly number[] }
  | { readonly kind: 'bundle'; readonly bytes: Uint8Array; readonly hashes: Uint8Array }
  | { readonly kind: 'hash'; readonly bytes: Uint8Array }
  | { readonly kind: 'pack'; readonly bytes: Uint8Array; readonly hash: string; readonly bodies: Uint8Array };

export interface Answers {
  readonly segment: SegmentSummary | UnreadableSegment;
  /** True if the entries of the bundle have exactly these leaf hashes. */
  readonly bundle: boolean;
  readonly hash: string;
  readonly pack: PackVerdict;
}

/** Does tasks with the keys it was told of. One per thread. */
export class TaskRunner {
  readonly #keys = new Map<string, SigningKey>();

  /** Raw Ed25519 public keys that may sign batches. */
  learn(keys: readonly Uint8Array[]): void {
    for (const raw of keys) {
      const key = parseSigningKey(raw);
      this.#keys.set(key.id, key);
    }
  }

  run(task: Task): Answers[Task['kind']] {
    const bytes = bufferOf(task.bytes);
    switch (task.kind) {
      case 'segment':
        return summarise(bytes, { origin: task.origin, keys: this.#keys, cuts: task.cuts });
      case 'bundle':
        return judgeBundle(bytes, bufferOf(task.hashes));
      case 'hash':
        return sha256Hex(bytes);
      case 'pack':
        return judgePack(bytes, task.hash, bufferOf(task.bodies));
    }
  }
}

function judgeBundle(bytes: Buffer, hashes: Buffer): boolean {
  try {
    const entries = parseBundle(bytes, hashes.length / HASH_BYTES);
    return entries.every((entry, at) =>
      leafHash(entry).equals(hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)),
    );
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Buffers of an answer that need not be copied to cross. */
export function transferable(answer: Answers[Task['kind']]): ArrayBuffer[] {
  if (typeof answer !== 'object' || !('ids' in answer)) return [];
  return [answer.ids, ...answer.packs.map(({ bodies }) => bodies)].flatMap(({ buffer }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength > 0 ? buffer : [],
  );
}
