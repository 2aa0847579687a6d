// SPDX-License-Identifier: Apache-2.0
import { openCheckpoint, type Checkpoint } from '../record/checkpoint.ts';
import { FormatError } from '../record/format-error.ts';
import { checkpointKey } from '../record/layout.ts';
import type { NoteKey } from '../record/note.ts';
import type { Findings, FindingCode } from './findings.ts';
import { listed, readWhole, ReaderTrouble, type ArchiveReader, type StoredVersion } from './reader.ts';
import type { LogTree } from './tree.ts';

const MAX_NOTE_BYTES = 1_000_000;

/** The checkpoint that is published, if the log key signed it. */
export interface Published {
  readonly checkpoint: Checkpoint | null;
  /** There is no such object at all. */
  readonly isMissing: boolean;
}

/** Reads what the log publishes. It is not locked: whatever is there proves only what is signed. */
export async function readPublished(reader: ArchiveReader, log: NoteKey, findings: Findings): Promise<Published> {
  const key = checkpointKey(log.name);
  if ((await currentVersion(reader, key)) === null) return { checkpoint: null, isMissing: true };
  const checkpoint = await openCurrent(reader, key, log, 'verify/checkpoint-unsigned', findings);
  return { checkpoint, isMissing: false };
}

/** The newest version of a checkpoint object; null if there is none or, which `code` then says, none that the log key signed. */
export async function openCurrent(
  reader: ArchiveReader,
  key: string,
  log: NoteKey,
  code: FindingCode,
  findings: Findings,
): Promise<Checkpoint | null> {
  const current = await currentVersion(reader, key);
  if (current === null) return null;
  if (current.size > MAX_NOTE_BYTES) {
    findings.add(code, { key }, 'a signed note', `${current.size} bytes`);
    return null;
  }
  try {
    const bytes = await readWhole(reader, key, current.version, current.size);
    return openNote(bytes, log, { code, key }, findings);
  } catch (error) {
    if (!(error instanceof ReaderTrouble)) throw error;
    findings.add('verify/reader-failed', { key }, 'the object as listed', error.got);
    return null;
  }
}

/**
 * A checkpoint that is not there follows from the segments, as long as they are all there. Packs that nothing names are, with it gone, what
 * cutting off the last segments would leave as well.
 */
export function judgeUnpublished(packsUnnamed: number, origin: string, findings: Findings): void {
  const key = checkpointKey(origin);
  findings.add('verify/checkpoint-missing', { key }, 'a published checkpoint', 'none');
  if (packsUnnamed === 0) return;
  findings.add('verify/end-unproven', { key }, 'a checkpoint, or no packs but named ones', `${packsUnnamed} others`);
}

/** Of a derived object the newest version counts. */
async function currentVersion(reader: ArchiveReader, key: string): Promise<StoredVersion | null> {
  for await (const version of listed(reader, key)) {
    if (version.key === key && !version.deleteMarker) return version;
    if (version.key !== key) return null;
  }
  return null;
}

export function openNote(
  note: Uint8Array | string,
  log: NoteKey,
  fault: { readonly code: FindingCode; readonly leaf?: number; readonly key?: string },
  findings: Findings,
): Checkpoint | null {
  try {
    return openCheckpoint(note, log);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const { code, ...where } = fault;
    findings.add(code, where, error.expected, error.got);
    return null;
  }
}

/** The log as it was read. Without an end the last segment could not be read, and nothing can be said about sizes behind it. */
export interface ReadLog {
  readonly tree: LogTree;
  readonly hasEnd: boolean;
}

/** At the end: the published checkpoint must not be ahead of the entries and must have their root. */
export function judgePublished(published: Checkpoint, log: ReadLog, origin: string, findings: Findings): void {
  const { tree, hasEnd } = log;
  const where = { key: checkpointKey(origin) };
  const { size } = published;
  if (size > tree.size) {
    if (hasEnd) findings.add('verify/checkpoint-ahead', where, `at most ${tree.size} leaves`, `${size}`);
    return;
  }
  if (size < tree.size) {
    findings.add('verify/checkpoint-behind', where, `a checkpoint of ${tree.size} leaves`, `of ${size}`);
  }
  judgeRoot('verify/checkpoint-root', published, tree, where, findings);
}

/** Holds the log against the checkpoint that its holder got earlier: it may only have grown. */
export function judgeSince(since: Checkpoint, { tree, hasEnd }: ReadLog, findings: Findings): void {
  const where = { leaf: since.size };
  if (since.size > tree.size) {
    if (hasEnd) findings.add('verify/since-rollback', where, `at least ${since.size} leaves`, `${tree.size}`);
    return;
  }
  judgeRoot('verify/since-fork', since, tree, where, findings);
}

function judgeRoot(
  code: FindingCode,
  { size, root }: Checkpoint,
  tree: LogTree,
  where: object,
  findings: Findings,
): void {
  const found = tree.rootAt(size);
  // Null for a size that lies in leaves which could not be read: those are a finding already.
  if (found === null || found === root.toString('hex')) return;
  findings.add(code, where, `root ${root.toString('hex')} at ${size}`, found);
}
