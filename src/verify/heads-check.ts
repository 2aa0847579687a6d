// SPDX-License-Identifier: Apache-2.0
import type { HeadsEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { headsRootHex, parseHeads, type Heads, type StreamState } from '../record/heads.ts';
import { headsKey } from '../record/layout.ts';
import type { Findings } from './findings.ts';
import type { StoredObject } from './inventory.ts';
import { MAX_WHOLE_BYTES, readWhole, ReaderTrouble, type ArchiveReader } from './reader.ts';
import type { Stored } from './survey.ts';

interface Parts {
  readonly reader: ArchiveReader;
  readonly origin: string;
  readonly stored: Stored;
  readonly findings: Findings;
}

/** What the log itself gives at the size that a heads entry speaks of. */
export interface OwnHeads {
  readonly streams: readonly StreamState[];
  readonly docs: readonly string[];
  readonly rules: readonly string[];
  /** False where leaves before could not be read: then only the object itself can be judged. */
  readonly isWhole: boolean;
}

/** Names of segments and heads: the leaf number in sixteen digits. */
export function leafName(leaf: number): string {
  return String(leaf).padStart(16, '0');
}

/**
 * The heads entry of the segment that begins at leaf `leaves`, and the object it names, against the log before that leaf. Returns the
 * stored object, if it is there.
 */
export async function judgeHeads(
  parts: Parts,
  entry: HeadsEntry,
  place: { readonly leaf: number; readonly leaves: number },
  own: OwnHeads,
): Promise<StoredObject | null> {
  const { findings, origin } = parts;
  const { leaf, leaves } = place;
  const key = headsKey(origin, leaves);
  const where = { leaf, key };
  const root = headsRootHex(own.streams);
  if (own.isWhole && (entry.root !== root || entry.streams !== own.streams.length)) {
    const got = `root ${entry.root} of ${entry.streams}`;
    findings.add('verify/heads-root', { leaf }, `root ${root} of ${own.streams.length} streams`, got);
  }
  const stored = parts.stored.heads.find(leafName(leaves));
  if (stored === null) {
    findings.add('verify/heads-missing', where, 'a stored object', 'none');
    return null;
  }
  const heads = await openHeads(parts, entry, key, stored, leaf);
  if (heads === null) return stored;
  if (heads.origin !== origin || heads.leaves !== leaves) {
    findings.add('verify/heads-place', where, `heads of ${origin} at leaf ${leaves}`, `at leaf ${heads.leaves}`);
  } else if (own.isWhole) {
    judgeContent(findings, heads, own, where);
  }
  return stored;
}

async function openHeads(
  { reader, findings }: Parts,
  { file }: HeadsEntry,
  key: string,
  stored: StoredObject,
  leaf: number,
): Promise<Heads | null> {
  const where = { leaf, key };
  if (stored.size > MAX_WHOLE_BYTES) {
    findings.add('verify/too-large', where, `at most ${MAX_WHOLE_BYTES} bytes`, `${stored.size}`);
    return null;
  }
  if (stored.size !== file.n) {
    findings.add('verify/heads-malformed', where, `${file.n} bytes`, `${stored.size}`);
    return null;
  }
  try {
    const bytes = await readHeads(reader, key, stored);
    const hash = sha256Hex(bytes);
    if (hash === file.h) return parseHeads(bytes);
    findings.add('verify/heads-malformed', where, file.h, hash);
  } catch (error) {
    if (error instanceof FormatError) findings.add('verify/heads-malformed', where, error.expected, error.got);
    else if (error instanceof ReaderTrouble)
      findings.add('verify/reader-failed', { key }, 'the object as listed', error.got);
    else throw error;
  }
  return null;
}

/** Throws {@link ReaderTrouble}. */
export async function readHeads(reader: ArchiveReader, key: string, { size, version }: StoredObject): Promise<Buffer> {
  if (size > MAX_WHOLE_BYTES) throw new ReaderTrouble(key, `${size} bytes`);
  return readWhole(reader, key, version, size);
}

function judgeContent(findings: Findings, heads: Heads, own: OwnHeads, where: { leaf: number; key: string }): void {
  const theirs = new Map(heads.streams.map((state) => [state.stream, stateText(state)]));
  for (const state of own.streams) {
    const got = theirs.get(state.stream);
    theirs.delete(state.stream);
    if (got === stateText(state)) continue;
    const at = { ...where, stream: state.stream, seq: state.seq };
    findings.add('verify/heads-streams', at, stateText(state), got ?? 'nothing');
  }
  for (const [stream, got] of theirs) findings.add('verify/heads-streams', { ...where, stream }, 'no such stream', got);
  const isSame =
    sameSet(heads.docs, own.docs) && heads.docs.at(-1) === own.docs.at(-1) && sameSet(heads.rules, own.rules);
  if (!isSame) {
    const expected = `${own.docs.length} manifests and ${own.rules.length} rules as the log has them`;
    findings.add('verify/heads-rules', where, expected, `${heads.docs.length} and ${heads.rules.length}, or others`);
  }
}

function stateText({ acct, app, at, closed, gen, id, key, leaf, role, seq }: StreamState): string {
  return `${acct} ${app} ${role} gen ${gen} key ${key} seq ${seq} id ${id} leaf ${leaf} at ${at}${closed ? ' closed' : ''}`;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const set = new Set(a);
  return a.length === b.length && b.every((item) => set.has(item));
}
