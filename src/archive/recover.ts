// SPDX-License-Identifier: AGPL-3.0-or-later
import { Failure } from '../base/failure.ts';
import { openCheckpoint } from '../record/checkpoint.ts';
import type { Entry, HeadsEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { leafHash, sha256Hex } from '../record/hash.ts';
import { parseHeads, type Heads } from '../record/heads.ts';
import type { KeyId, SigningKey } from '../record/key.ts';
import { checkpointKey, headsPrefix, leafOfKey, segmentKey, segmentPrefix } from '../record/layout.ts';
import { signersOf } from '../record/manifest.ts';
import type { NoteKey } from '../record/note.ts';
import { parseSegment, verifyTail, type Segment } from '../record/segment.ts';
import { TreeWindow } from '../record/tree-window.ts';
import { brokenLog, documentsByHash, LogState } from './log-state.ts';
import type { ArchiveStore } from './store.ts';

export interface RecoverParts {
  readonly store: ArchiveStore;
  readonly origin: string;
  readonly root: SigningKey;
  readonly logKey: NoteKey;
}

export interface Recovered {
  readonly state: LogState;
  readonly segments: number;
  /** Packs named since recovery's starting point: what is to be read back. */
  readonly packs: readonly { readonly hash: string; readonly end: number }[];
}

/**
 * Rebuilds the archiver's knowledge from the store: from the last but one daily `heads` (so that a day of proofs and
 * read-backs stays possible), then every segment after it. A normal start and a start after a crash are the same thing.
 */
export async function recover(parts: RecoverParts): Promise<Recovered> {
  const start = await startingPoint(parts);
  const packs: { hash: string; end: number }[] = [];
  let segments = 0;
  for await (const segment of segmentsFrom(parts, start.size)) {
    replay(parts, start, segment, packs);
    segments += 1;
  }
  await assertNothingLost(parts, start);
  return { state: start, segments, packs };
}

/** Segments in order from the one that begins at `leaf`. Throws `archive/broken-log` where one is missing in between. */
export async function* segmentsFrom(
  { store, origin }: Pick<RecoverParts, 'store' | 'origin'>,
  leaf: number,
): AsyncGenerator<Segment> {
  let next = leaf;
  const after = leaf === 0 ? undefined : segmentKey(origin, leaf - 1);
  let last = '';
  for await (const { key, deleteMarker } of store.listVersions(segmentPrefix(origin), after)) {
    if (deleteMarker || key === last) continue;
    last = key;
    if (leafOfKey(key) !== next) throw brokenLog(`no segment at leaf ${next}`);
    const object = await store.read(key);
    if (object === null) throw brokenLog(`no readable segment at leaf ${next}`);
    const segment = parseSegment(Buffer.from(object.bytes.buffer, object.bytes.byteOffset, object.bytes.byteLength));
    next = segment.tail.size;
    yield segment;
  }
}

/** The last but one `heads` whose entry is really in the log, else the empty log. */
async function startingPoint(parts: RecoverParts): Promise<LogState> {
  const keys: string[] = [];
  for await (const { key, deleteMarker } of parts.store.listVersions(headsPrefix(parts.origin))) {
    if (!deleteMarker && key !== keys.at(-1)) keys.push(key);
  }
  for (const key of keys.toReversed().slice(1)) {
    const state = await stateAt(parts, key);
    if (state !== null) return state;
  }
  return new LogState(parts.root);
}

async function stateAt({ store, origin, root, logKey }: RecoverParts, key: string): Promise<LogState | null> {
  const [file, object] = [await store.read(key), await store.read(segmentKey(origin, leafOfKey(key)))];
  // Heads without their segment: the archiver died between the two.
  if (file === null || object === null) return null;
  const segment = parseSegment(Buffer.from(object.bytes));
  const bytes = Buffer.from(file.bytes);
  const heads: Heads = parseHeads(bytes);
  const named = segment.entries.some((line) => isHeadsOf(line, sha256Hex(bytes)));
  if (!named || heads.leaves !== segment.head.first || heads.origin !== origin) return null;
  const checkpoint = openCheckpoint(segment.head.checkpoint, logKey);
  const state = LogState.fromHeads(root, heads, segment.head.edge);
  if (checkpoint.size !== state.size || !checkpoint.root.equals(state.window.root()))
    throw brokenLog(`another root at leaf ${state.size}`);
  state.checkpoint = segment.head.checkpoint;
  return state;
}

function isHeadsOf(line: Buffer, hash: string): boolean {
  const text = line.toString('latin1');
  return text.includes('"t":"heads"') && (JSON.parse(text) as HeadsEntry).file.h === hash;
}

function replay(parts: RecoverParts, state: LogState, segment: Segment, packs: { hash: string; end: number }[]): void {
  const { head, tail } = segment;
  if (head.origin !== parts.origin || head.first !== state.size)
    throw brokenLog(`a segment of another place at leaf ${state.size}`);
  assertCheckpoint(parts, state, segment);
  const documents = documentsByHash(segment.docs.map((line) => line.toString('utf8')));
  for (const line of segment.entries) {
    const entry = state.apply(line.toString('latin1'), leafHash(line), documents);
    note(entry, state, head.first, packs);
  }
  if (!state.window.root().equals(tail.root)) throw brokenLog(`another root at leaf ${tail.size}`);
  verifyTail(segment, archiverKey(state, tail.key));
}

function note(entry: Entry, state: LogState, first: number, packs: { hash: string; end: number }[]): void {
  if (entry.t === 'pack') packs.push({ hash: entry.h, end: state.size });
  if (entry.t === 'heads') state.lastHeads = { leaves: first, at: entry.at };
}

function archiverKey(state: LogState, id: KeyId): SigningKey {
  const key = state.manifest === null ? undefined : signersOf(state.manifest, 'archiver').get(id);
  if (key === undefined) throw brokenLog('a segment by an archiver that the manifest does not name');
  return key;
}

/** Each segment carries the signed checkpoint of the log before it: our own word on all that came before. */
function assertCheckpoint({ logKey }: RecoverParts, state: LogState, { head }: Segment): void {
  if (head.first === 0) return;
  const checkpoint = openCheckpoint(head.checkpoint, logKey);
  if (checkpoint.size !== state.size || !checkpoint.root.equals(state.window.root())) {
    throw brokenLog(`a checkpoint of another log at leaf ${state.size}`);
  }
}

/** The published checkpoint must not be ahead of the segments: then some are gone, or hidden. */
async function assertNothingLost({ store, origin, logKey }: RecoverParts, state: LogState): Promise<void> {
  const published = await store.read(checkpointKey(origin));
  if (published === null) return;
  const checkpoint = tryOpen(Buffer.from(published.bytes).toString('utf8'), logKey);
  if (checkpoint === null || checkpoint.size <= state.size) return;
  throw new Failure('archive/behind-checkpoint', {
    expected: `segments up to leaf ${checkpoint.size}`,
    got: `segments up to leaf ${state.size}`,
    where: checkpointKey(origin),
    fix: 'restore the missing segments; an archiver never continues behind its own signature',
  });
}

/** The checkpoint object is not locked, so anybody may have put anything there: what is not signed is nothing. */
function tryOpen(note: string, logKey: NoteKey): { size: number } | null {
  try {
    return openCheckpoint(note, logKey);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

/**
 * A window that reaches back to `leaf`, for a connector whose last receipt is older than this archiver's memory. Null if no segment
 * begins there: then no checkpoint of ours had that size.
 */
export async function windowFrom(
  parts: Pick<RecoverParts, 'store' | 'origin'>,
  leaf: number,
  size: number,
): Promise<TreeWindow | null> {
  if ((await parts.store.read(segmentKey(parts.origin, leaf))) === null) return null;
  let window: TreeWindow | null = null;
  for await (const segment of segmentsFrom(parts, leaf)) {
    window ??= new TreeWindow(segment.head.edge);
    if (window.size >= size) break;
    for (const line of segment.entries) window.append(leafHash(line));
  }
  if (window === null || window.size !== size) throw brokenLog(`no segments from leaf ${leaf} to ${size}`);
  return window;
}
