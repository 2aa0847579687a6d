// SPDX-License-Identifier: Apache-2.0
import { HASH_BYTES } from '../record/hash.ts';
import { bufferOf } from './tasks.ts';
import type { SegmentSummary, StreamRun } from './summary.ts';

/** Ids kept of the newest records: 32 MiB. Beats are hourly and streams are shipped side by side, so older ones are rarely asked for. */
const MOST_IDS = 2 ** 20;

interface Chunk {
  readonly pieces: readonly number[];
  readonly ids: Buffer;
}

interface HeldSegment {
  readonly streams: readonly string[];
  readonly count: number;
}

/** `dropped`: it may have been among the older ones. `none`: the log has no record of that number. */
export type FoundId = { readonly id: string } | 'dropped' | 'none';

/** Ids of the newest records by stream and sequence number, in bounded memory. */
export class IdWindow {
  readonly #most: number;
  readonly #byStream = new Map<string, Chunk[]>();
  readonly #held: HeldSegment[] = [];
  /** Streams of which chunks were dropped. */
  readonly #cut = new Set<string>();
  #count = 0;

  constructor(most: number = MOST_IDS) {
    this.#most = most;
  }

  add({ runs, ids }: Pick<SegmentSummary, 'runs' | 'ids'>): void {
    const buffer = bufferOf(ids);
    for (const { stream, pieces } of runs) {
      const chunks = this.#byStream.get(stream) ?? [];
      chunks.push({ pieces, ids: buffer });
      this.#byStream.set(stream, chunks);
    }
    const count = ids.length / HASH_BYTES;
    this.#held.push({ streams: runs.map(({ stream }) => stream), count });
    this.#count += count;
    while (this.#count > this.#most && this.#held.length > 1) this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = this.#held.shift();
    if (oldest === undefined) return;
    this.#count -= oldest.count;
    for (const stream of oldest.streams) {
      const chunks = this.#byStream.get(stream);
      chunks?.shift();
      if (chunks?.length === 0) this.#byStream.delete(stream);
      this.#cut.add(stream);
    }
  }

  find(stream: string, seq: number): FoundId {
    const chunks = this.#byStream.get(stream) ?? [];
    for (const chunk of chunks.toReversed()) {
      const id = idIn(chunk.pieces, chunk.ids, seq);
      if (id !== null) return { id };
    }
    const oldest = chunks[0]?.pieces[0] ?? Number.POSITIVE_INFINITY;
    return this.#cut.has(stream) && seq < oldest ? 'dropped' : 'none';
  }
}

/** Id of a stream's record within one segment, or null. */
export function idIn(pieces: StreamRun['pieces'], ids: Buffer, seq: number): string | null {
  for (let at = 0; at < pieces.length; at += 3) {
    const [first, count, index] = [pieces[at] as number, pieces[at + 1] as number, pieces[at + 2] as number];
    if (seq < first || seq >= first + count) continue;
    const offset = (index + seq - first) * HASH_BYTES;
    return ids.toString('hex', offset, offset + HASH_BYTES);
  }
  return null;
}
