// SPDX-License-Identifier: AGPL-3.0-or-later
import { leafOfKey, segmentKey, segmentPrefix } from '../record/layout.ts';
import { parseSegment, type Segment } from '../record/segment.ts';
import { brokenLog } from './log-state.ts';
import type { ArchiveStore } from './store.ts';

/** Where a log's segments are. */
export interface LogPlace {
  readonly store: ArchiveStore;
  readonly origin: string;
}

/** Segments read ahead: a start reads thousands, and each is a round trip. */
const READ_AHEAD = 8;
/** First guess at how many leaves before a leaf its segment begins, and how fast the guess grows. */
const FIRST_SPAN = 64;
const SPAN_GROWTH = 32;

/** Segments in order from the one that begins at `leaf`. Throws `archive/broken-log` where one is missing in between. */
export async function* segmentsFrom(place: LogPlace, leaf: number): AsyncGenerator<Segment> {
  let next = leaf;
  for await (const { first, bytes } of readAhead(place, firstLeaves(place, leaf))) {
    if (first !== next || bytes === null) throw brokenLog(`no readable segment at leaf ${next}`);
    const segment = parseSegment(bytes);
    next = segment.tail.size;
    yield segment;
  }
}

interface FoundSegment {
  readonly first: number;
  readonly bytes: Buffer | null;
}

/** What the names of a listing stand for, in its order, a few at a time under way. */
async function* readAhead(place: LogPlace, names: AsyncIterable<number>): AsyncGenerator<FoundSegment> {
  const underWay: Promise<FoundSegment>[] = [];
  for await (const first of names) {
    const found = readBytes(place, first).then((bytes) => ({ first, bytes }));
    // Handled where it is awaited; until then a rejection must not count as unhandled.
    found.catch(() => undefined);
    underWay.push(found);
    if (underWay.length === READ_AHEAD) yield await (underWay.shift() as Promise<FoundSegment>);
  }
  for (const found of underWay) yield await found;
}

/** First leaves of the segments from `leaf` on, by their names. A delete marker hides none. */
async function* firstLeaves({ store, origin }: LogPlace, leaf: number): AsyncGenerator<number> {
  let last = '';
  const after = leaf === 0 ? undefined : segmentKey(origin, leaf - 1);
  for await (const { key, deleteMarker } of store.listVersions(segmentPrefix(origin), after)) {
    if (deleteMarker || key === last) continue;
    last = key;
    yield leafOfKey(key);
  }
}

async function readBytes({ store, origin }: LogPlace, first: number): Promise<Buffer | null> {
  const object = await store.read(segmentKey(origin, first));
  return object === null ? null : Buffer.from(object.bytes.buffer, object.bytes.byteOffset, object.bytes.byteLength);
}

/** The segment that begins at `first`, or null. */
export async function readSegment(place: LogPlace, first: number): Promise<Segment | null> {
  const bytes = await readBytes(place, first);
  return bytes === null ? null : parseSegment(bytes);
}

/** The first segment that begins at `leaf` or behind it, or null. */
export async function segmentFrom(place: LogPlace, leaf: number): Promise<Segment | null> {
  for await (const first of firstLeaves(place, leaf)) return readSegment(place, first);
  return null;
}

/** The segment that holds a leaf. Throws `archive/broken-log` if there is none. */
export async function segmentHolding(place: LogPlace, leaf: number): Promise<Segment> {
  for (let span = FIRST_SPAN; ; span *= SPAN_GROWTH) {
    const from = Math.max(0, leaf - span);
    let begins: number | null = null;
    for await (const first of firstLeaves(place, from)) {
      if (first > leaf) break;
      begins = first;
    }
    if (begins === null && from > 0) continue;
    const segment = begins === null ? null : await readSegment(place, begins);
    if (segment !== null && leaf < segment.tail.size) return segment;
    throw brokenLog(`no segment that holds leaf ${leaf}`);
  }
}
