// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import type { Checkpoint } from '../record/checkpoint.ts';
import { parseEntry } from '../record/entry.ts';
import { FormatError } from '../record/format-error.ts';
import { checkpointKey, leafOfKey, packKey, segmentKey, segmentPrefix } from '../record/layout.ts';
import { MAX_SEGMENT_BYTES, parseSegment, type Segment } from '../record/segment.ts';
import type { Trust } from '../record/trust.ts';
import { readWhole, ReaderTrouble, stateOf, type ArchiveReader, type StoredVersion } from '../verify/reader.ts';
import { broken, LogCursor, type VerifiedSegment } from './log-cursor.ts';

const MAX_NOTE_BYTES = 1_000_000;
/** Segments, with their packs, that are fetched while an earlier one is worked on. */
const AHEAD = 3;

/** Packs of a segment by hash; null for one that the store does not have. */
export type PackBytes = ReadonlyMap<string, Buffer | null>;

export interface FollowedSegment {
  readonly verified: VerifiedSegment;
  readonly packs: PackBytes;
  /** Of the segment and its packs, and of the segment alone. */
  readonly bytes: number;
  readonly segmentBytes: number;
}

interface Loaded extends Omit<FollowedSegment, 'verified'> {
  readonly segment: Segment;
}

/** What one look at the store showed. */
export interface Survey {
  /** The published checkpoint; null if there is none: it follows from the segments. */
  readonly published: Checkpoint | null;
  readonly segments: readonly StoredVersion[];
  readonly bytes: number;
}

/** Lists what lies behind the cursor. Throws `search/foreign-archive` if there is no such log, or another one's. */
export async function survey(reader: ArchiveReader, trust: Trust, cursor: LogCursor): Promise<Survey> {
  const { size } = cursor.position;
  const after = size === 0 ? '' : segmentKey(trust.origin, size - 1);
  const published = await readPublished(reader, trust.origin, cursor);
  const segments: StoredVersion[] = [];
  for await (const version of listedAfter(reader, segmentPrefix(trust.origin), after)) {
    if (version.deleteMarker) continue;
    // Newest first within a key: the last one is the object.
    if (segments.at(-1)?.key === version.key) segments.pop();
    segments.push(version);
  }
  if (size === 0 && segments.length === 0) {
    throw new Failure('search/foreign-archive', {
      expected: `segments of ${trust.origin}`,
      got: 'none',
      where: segmentPrefix(trust.origin),
      fix: 'name the archive of this log, or use the trust file of the one you mean',
    });
  }
  if (published !== null) cursor.assertRoot(published, checkpointKey(trust.origin));
  return { published, segments, bytes: segments.reduce((sum, { size: bytes }) => sum + bytes, 0) };
}

/**
 * The segments behind the cursor, each verified and covered by a checkpoint that the log key signed: the published one, or the one
 * that the next segment carries. A segment that nothing covers yet is left for the next look. Who opens nothing needs no packs.
 */
export async function* follow(
  reader: ArchiveReader,
  trust: Trust,
  cursor: LogCursor,
  { published, segments }: Survey,
  { packs: wantsPacks = true } = {},
): AsyncGenerator<FollowedSegment> {
  const ahead: Promise<Loaded>[] = [];
  const load = (version: StoredVersion | undefined): void => {
    if (version === undefined) return;
    const loading = loadSegment(reader, trust.origin, version, wantsPacks);
    // Awaited in its turn; until then a rejection must not count as unhandled.
    loading.catch(() => undefined);
    ahead.push(loading);
  };
  for (const version of segments.slice(0, AHEAD)) load(version);
  for (const [index, { key }] of segments.entries()) {
    const loaded = await (ahead.shift() as Promise<Loaded>);
    load(segments[index + AHEAD]);
    const end = loaded.segment.head.first + loaded.segment.head.entries;
    const isPublished = published !== null && end <= published.size;
    const next = isPublished ? undefined : await ahead[0];
    if (!isPublished && next === undefined) break;
    if (leafOfKey(key) !== loaded.segment.head.first) throw broken(key, 'the segment of this place', 'another');
    const verified = cursor.take(loaded.segment);
    if (published !== null) {
      if (published.size > verified.first && published.size < end) {
        throw broken(key, `a checkpoint of ${end} leaves`, `one of ${published.size}`);
      }
      cursor.assertRoot(published, checkpointKey(trust.origin));
    }
    if (next !== undefined) {
      const carried = cursor.openNote(next.segment.head.checkpoint, key);
      if (carried.size !== end)
        throw broken(key, `a checkpoint of ${end} leaves in the next segment`, `of ${carried.size}`);
      cursor.assertRoot(carried, key);
    }
    const { packs, bytes, segmentBytes } = loaded;
    yield { verified, packs, bytes, segmentBytes };
  }
  // It was read before the listing was taken: what it covers was there.
  const { size } = cursor.position;
  if (published !== null && published.size > size) {
    throw broken(segmentKey(trust.origin, size), `segments up to leaf ${published.size}`, `none from leaf ${size} on`);
  }
}

async function readPublished(reader: ArchiveReader, origin: string, cursor: LogCursor): Promise<Checkpoint | null> {
  const key = checkpointKey(origin);
  for await (const version of listedAfter(reader, key, '')) {
    if (version.key !== key || version.deleteMarker) continue;
    if (version.size > MAX_NOTE_BYTES) throw broken(key, 'a signed note', `${version.size} bytes`);
    const note = await fetched(() => readWhole(reader, key, version.version, version.size));
    return cursor.openNote(note.toString('utf8'), key);
  }
  return null;
}

async function loadSegment(
  reader: ArchiveReader,
  origin: string,
  stored: StoredVersion,
  wantsPacks: boolean,
): Promise<Loaded> {
  const { key, version, size } = stored;
  if (size > MAX_SEGMENT_BYTES) throw broken(key, `at most ${MAX_SEGMENT_BYTES} bytes`, String(size));
  const raw = await fetched(() => readWhole(reader, key, version, size));
  try {
    const segment = parseSegment(raw);
    const names = wantsPacks ? segment.entries.flatMap((line) => packIn(line)) : [];
    const packs = new Map<string, Buffer | null>();
    let bytes = raw.length;
    for (const hash of names) {
      const pack = await readPack(reader, packKey(origin, hash));
      packs.set(hash, pack);
      bytes += pack?.length ?? 0;
    }
    return { segment, packs, bytes, segmentBytes: raw.length };
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw broken(key, cause.expected, cause.got);
  }
}

function packIn(line: Buffer): string[] {
  // Entries are canonical, so a pack's begins with its time and hash; records are not parsed twice for this.
  if (!line.includes('"t":"pack"')) return [];
  const entry = parseEntry(line.toString('latin1'));
  return entry.t === 'pack' ? [entry.h] : [];
}

/** Null only where the store says that it has none: what it fails to give is tried again. */
async function readPack(reader: ArchiveReader, key: string): Promise<Buffer | null> {
  return fetched(async () => {
    const state = await stateOf(reader, key, '');
    return state === null ? null : readWhole(reader, key, state.version, state.size);
  });
}

export async function* listedAfter(
  reader: ArchiveReader,
  prefix: string,
  after: string,
): AsyncGenerator<StoredVersion> {
  try {
    yield* reader.listVersions(prefix, after);
  } catch (cause) {
    throw unreachable(prefix, cause);
  }
}

export async function fetched<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof ReaderTrouble)) throw cause;
    throw unreachable(cause.key, cause);
  }
}

function unreachable(where: string, cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  return new Failure('search/archive-unread', {
    expected: 'what the archive listed',
    got: cause instanceof ReaderTrouble ? cause.got : 'an error of the store',
    where,
    fix: 'it is tried again; if it stays, see whether the store can be reached and this role may read it',
    cause,
  });
}
