// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError } from '../record/format-error.ts';
import { EpochError } from '../seal/epoch.ts';
import { ObjectError } from '../seal/object.ts';
import { OpenError, type Opener, type ReadObject, type SealedHeader } from '../seal/open.ts';
import { ReaderTrouble } from '../verify/reader.ts';

/** Why a record of the log cannot be read. It is shown in its place all the same. */
export type Defect =
  | 'pack-missing'
  | 'body-damaged'
  | 'sealed-to-others'
  | 'does-not-open'
  | 'object-missing'
  | 'no-view';

/** A record to open: its header, and where its body lies. */
export interface SealedRecord {
  readonly header: SealedHeader;
  /** Index of the pack among those of the task. */
  readonly pack: number;
  readonly at: number;
  readonly length: number;
}

/** The records of one segment; small enough to cross from one thread to another. */
export interface OpenTask {
  readonly docs: readonly string[];
  readonly packs: readonly Uint8Array[];
  readonly sealed: readonly SealedRecord[];
}

/** A record's view as JSON text. `elsewhere`: it is too long for a body, and lies in an object that was not at hand. */
export interface OpenedText {
  readonly text: string | null;
  readonly via: string | null;
  readonly defect: Defect | 'elsewhere' | null;
  /** View of a record that this one holds whole; null where that has none. Absent for records that hold no other. */
  readonly inner?: string | null;
}

/** Epochs that are remembered between tasks: each task brings those it needs. */
const MOST_EPOCHS = 1000;

/**
 * Opens all records of a task, in their order. Never throws for what a record holds. Tasks of one opener MUST NOT overlap: the end of
 * one forgets epochs.
 */
export async function openAll(opener: Opener, task: OpenTask, readObject?: ReadObject): Promise<OpenedText[]> {
  for (const document of task.docs) opener.addEpoch(document);
  const packs = task.packs.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  const opened: OpenedText[] = [];
  for (const { header, pack, at, length } of task.sealed) {
    opened.push(await openOne(opener, header, (packs[pack] as Buffer).subarray(at, at + length), readObject));
  }
  opener.keepLast(MOST_EPOCHS);
  return opened;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

async function openOne(
  opener: Opener,
  header: SealedHeader,
  body: Buffer,
  readObject?: ReadObject,
): Promise<OpenedText> {
  try {
    const { parts } = await opener.openParsed(header, body, readObject);
    const text = textOf(parts.view);
    const inner = text === HOLDS_ANOTHER ? { inner: await openInner(opener, parts.raw, 1) } : {};
    return { text, via: viaOf(textOf(parts.cap)), defect: null, ...inner };
  } catch (error) {
    return { text: null, via: null, defect: defectOf(error) };
  }
}

/** View of what a reader's spool that was in doubt recorded again; see `OrphanView`. */
const HOLDS_ANOTHER = '{"kind":"orphan","v":1}';
/** Spools that were in doubt one after the other; beyond that a body has no room for the innermost. */
const MOST_HELD = 8;

/** `header line \n epoch document \n body`, one in the other. */
async function openInner(opener: Opener, raw: Buffer, depth: number): Promise<string | null> {
  const [first, second] = [raw.indexOf(10), raw.indexOf(10, raw.indexOf(10) + 1)];
  if (first < 0 || second < 0 || depth > MOST_HELD) return null;
  try {
    opener.addEpoch(raw.toString('utf8', first + 1, second));
    const { entry, parts } = await opener.open(raw.toString('utf8', 0, first), raw.subarray(second + 1));
    if (entry.t !== 'access') return null;
    const text = textOf(parts.view);
    return text === HOLDS_ANOTHER ? await openInner(opener, parts.raw, depth + 1) : text;
  } catch (error) {
    defectOf(error);
    // Beginnings and ends of streams have no body; anything else should have opened.
    return error instanceof OpenError && error.code === 'no-body' ? null : '';
  }
}

/** Whoever sealed it may have sealed anything. */
function textOf(part: Buffer): string | null {
  try {
    return utf8.decode(part);
  } catch {
    return null;
  }
}

function viaOf(cap: string | null): string | null {
  return /"via":"([\w-]{1,40})"/.exec(cap ?? '')?.[1] ?? null;
}

function defectOf(error: unknown): Defect | 'elsewhere' {
  if (error instanceof EpochError) return error.code === 'not-a-recipient' ? 'sealed-to-others' : 'does-not-open';
  if (error instanceof OpenError) {
    if (error.code === 'in-an-object') return 'elsewhere';
    return error.code === 'another-body' ? 'body-damaged' : 'does-not-open';
  }
  if (error instanceof ReaderTrouble || error instanceof ObjectError) return 'object-missing';
  if (error instanceof FormatError) return 'does-not-open';
  throw error;
}
