// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { openCheckpoint, type Checkpoint } from '../record/checkpoint.ts';
import type { HeadsEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { parseHeads } from '../record/heads.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { checkpointKey, headsPrefix, leafOfKey } from '../record/layout.ts';
import { signersOf } from '../record/manifest.ts';
import type { NoteKey } from '../record/note.ts';
import { fromSeconds } from '../record/period.ts';
import { verifyTail, type Segment } from '../record/segment.ts';
import { brokenLog, documentsByHash, LogState } from './log-state.ts';
import type { SegmentPacks } from './read-back.ts';
import { readSegment, segmentsFrom, type LogPlace } from './segments.ts';

export interface RecoverParts extends LogPlace {
  readonly root: SigningKey;
  readonly logKey: NoteKey;
  /** Leaves that the window of the tree holds at most. */
  readonly windowLeaves?: number;
}

export interface Recovered {
  readonly state: LogState;
  /** Size of the log at recovery's starting point. All packs named before it were read back (`Archiver`, due heads). */
  readonly from: number;
  /** The segments since. */
  readonly segments: readonly SegmentPacks[];
  /** Size of the checkpoint that is published; 0 for none. */
  readonly published: number;
}

/**
 * Rebuilds the archiver's knowledge from the store: from the last but one daily `heads` (so that a day of proofs and
 * read-backs stays possible), then every segment after it. A normal start and a start after a crash are the same thing.
 */
export async function recover(parts: RecoverParts): Promise<Recovered> {
  try {
    return await rebuild(parts);
  } catch (error) {
    if (error instanceof FormatError) throw brokenLog(`an object with ${error.code}`, error);
    throw error;
  }
}

async function rebuild(parts: RecoverParts): Promise<Recovered> {
  // Before the segments: read after them it could be that of a segment written meanwhile, and look like a loss.
  const published = await readPublished(parts);
  const state = await startingPoint(parts);
  const from = state.size;
  const segments: SegmentPacks[] = [];
  for await (const segment of segmentsFrom(parts, from)) segments.push(replay(parts, state, segment));
  if (published !== null) assertNothingLost(parts, state, published);
  return { state, from, segments, published: published?.size ?? 0 };
}

const HEADS_NAME = /\/\d{16}$/;

/** The last but one `heads` whose entry is really in the log, else the empty log. */
async function startingPoint(parts: RecoverParts): Promise<LogState> {
  const keys: string[] = [];
  for await (const { key, deleteMarker } of parts.store.listVersions(headsPrefix(parts.origin))) {
    if (!deleteMarker && key !== keys.at(-1) && HEADS_NAME.test(key)) keys.push(key);
  }
  let behind = 0;
  for (const key of keys.toReversed()) {
    const found = await namedHeads(parts, key);
    if (found === null) continue;
    behind += 1;
    if (behind === 2) return stateAt(parts, found);
  }
  return new LogState(parts, parts.windowLeaves);
}

interface NamedHeads {
  readonly file: Buffer;
  readonly segment: Segment;
}

/** Null for heads that no segment names, or not these bytes: the archiver died between the two, or they are not its. */
async function namedHeads(parts: RecoverParts, key: string): Promise<NamedHeads | null> {
  const [file, segment] = [await parts.store.read(key), await readSegment(parts, leafOfKey(key))];
  if (file === null || segment === null) return null;
  const hash = sha256Hex(file.bytes);
  return segment.entries.some((line) => isHeadsOf(line, hash)) ? { file: Buffer.from(file.bytes), segment } : null;
}

function isHeadsOf(line: Buffer, hash: string): boolean {
  const text = line.toString('latin1');
  return text.includes('"t":"heads"') && (JSON.parse(text) as HeadsEntry).file.h === hash;
}

function stateAt({ origin, root, logKey, windowLeaves }: RecoverParts, { file, segment }: NamedHeads): LogState {
  const { first, edge, checkpoint: note } = segment.head;
  const heads = parseHeads(file);
  if (heads.leaves !== first || heads.origin !== origin) throw brokenLog(`heads of another place at leaf ${first}`);
  const state = LogState.fromHeads({ origin, root }, heads, edge, windowLeaves);
  assertCheckpoint(logKey, state, note);
  state.checkpoint = note;
  return state;
}

function replay(parts: RecoverParts, state: LogState, segment: Segment): SegmentPacks {
  const { head, tail } = segment;
  if (head.origin !== parts.origin || head.first !== state.size)
    throw brokenLog(`a segment of another place at leaf ${state.size}`);
  if (head.first > 0) assertCheckpoint(parts.logKey, state, head.checkpoint);
  const entries = state.apply(segment.entries, documentsByHash(segment.docs.map((line) => line.toString('utf8'))));
  if (!state.window.root().equals(tail.root)) throw brokenLog(`another root at leaf ${tail.size}`);
  verifyTail(segment, archiverKey(state, tail.key));
  const hashes = entries.flatMap((entry) => (entry.t === 'pack' ? entry.h : []));
  return { first: head.first, size: tail.size, hashes, atMs: fromSeconds(tail.at) };
}

function archiverKey(state: LogState, id: KeyId): SigningKey {
  const key = state.manifest === null ? undefined : signersOf(state.manifest, 'archiver').get(id);
  if (key === undefined) throw brokenLog('a segment by an archiver that the manifest does not name');
  return key;
}

/** Each segment carries the signed checkpoint of the log before it: our own word on all that came before. */
function assertCheckpoint(logKey: NoteKey, state: LogState, note: string): void {
  const checkpoint = openCheckpoint(note, logKey);
  if (checkpoint.size !== state.size) throw brokenLog(`a checkpoint of another log at leaf ${state.size}`);
  assertSameRoot(state, checkpoint);
}

/** `size` lies in the window. */
function assertSameRoot(state: LogState, { root, size }: Checkpoint): void {
  if (root.equals(state.window.root(size))) return;
  throw new Failure('archive/forked', {
    expected: `the root that the log key signed for ${size} leaves`,
    got: 'another root in the segments',
    fix: 'stop: there are two histories under one signature; run verify on the archive and keep both',
  });
}

/** The published checkpoint must not be ahead of the segments: then some are gone, or hidden. */
function assertNothingLost({ origin }: RecoverParts, state: LogState, published: Checkpoint): void {
  if (published.size > state.size) {
    throw new Failure('archive/behind-checkpoint', {
      expected: `segments up to leaf ${published.size}`,
      got: `segments up to leaf ${state.size}`,
      where: checkpointKey(origin),
      fix: 'restore the missing segments; an archiver never continues behind its own signature',
    });
  }
  if (published.size >= state.window.base) assertSameRoot(state, published);
}

/** The checkpoint object is not locked, so anybody may have put anything there: what is not signed is nothing. */
async function readPublished({ store, origin, logKey }: RecoverParts): Promise<Checkpoint | null> {
  try {
    const published = await store.read(checkpointKey(origin));
    return published === null ? null : openCheckpoint(Buffer.from(published.bytes).toString('utf8'), logKey);
  } catch (error) {
    const nothing = error instanceof FormatError || (error instanceof Failure && error.code === 'store/too-large');
    if (nothing) return null;
    throw error;
  }
}
