// SPDX-License-Identifier: Apache-2.0
import type { Checkpoint } from '../record/checkpoint.ts';
import { cosignerKey, verifyCosignatures } from '../record/cosignature.ts';
import { FormatError } from '../record/format-error.ts';
import { parseSigningKeyText } from '../record/key.ts';
import { witnessPrefix } from '../record/layout.ts';
import type { Manifest } from '../record/manifest.ts';
import { parseNote, type NoteKey } from '../record/note.ts';
import { fromSeconds, toSeconds } from '../record/period.ts';
import { hasQuorum, type Policy } from '../record/policy.ts';
import type { Trust } from '../record/trust.ts';
import { openNote } from './checkpoints.ts';
import { readEvidence, type Evidence } from './evidence.ts';
import type { Findings } from './findings.ts';
import type { ArchiveReader } from './reader.ts';
import type { LogTree } from './tree.ts';

/** A checkpoint that the log signed, with what stands under it. */
export interface CosignedNote {
  readonly evidence: Evidence;
  readonly checkpoint: Checkpoint;
}

/** Who vouches for the log, and how far. */
export interface WitnessReport {
  /** Leaves under the newest checkpoint that has the quorum; without a policy, that any known witness cosigned. */
  readonly size: number;
  /** When it was cosigned last, by the witnesses' clocks; empty if it was not. */
  readonly at: string;
  readonly by: readonly string[];
  /** How many could have: these, those of the policy, and those of the newest manifest. */
  readonly of: number;
  /** `met`: the policy's quorum cosigned that size. `none`: the policy asks for none. */
  readonly quorum: 'met' | 'missing' | 'none' | 'no policy';
}

export const NO_WITNESSES: WitnessReport = { size: 0, at: '', by: [], of: 0, quorum: 'no policy' };

/** What was cosigned longer ago than this, while the log went on, no longer counts as watched. */
const MOST_UNWATCHED_MS = 86_400_000;

/** Opens every cosigned checkpoint: signed by the log, and of the size that its name says. */
export async function readCosigned(reader: ArchiveReader, trust: Trust, findings: Findings): Promise<CosignedNote[]> {
  const prefix = witnessPrefix(trust.origin);
  const all = await readEvidence(reader, prefix, 'verify/witness-malformed', findings);
  return all.flatMap((evidence) => {
    const { key, bytes, size } = evidence;
    const checkpoint = openNote(bytes, trust.log, { code: 'verify/witness-malformed', key }, findings);
    if (checkpoint === null) return [];
    if (checkpoint.size === size) return [{ evidence, checkpoint }];
    findings.add('verify/witness-malformed', { key }, `a checkpoint of ${size} leaves`, `of ${checkpoint.size}`);
    return [];
  });
}

interface Judging {
  readonly tree: LogTree;
  readonly hasEnd: boolean;
  /** Time of the segment with this leaf, and of the newest one. */
  readonly timeAt: (leaf: number) => string | null;
  readonly at: string;
  readonly manifests: readonly Manifest[];
  readonly policy: Policy | null;
  readonly findings: Findings;
}

/** Holds what witnesses saw against the log, and their number against the policy. */
export function judgeWitnesses(notes: readonly CosignedNote[], judging: Judging): WitnessReport {
  const { findings, policy, manifests } = judging;
  const known = knownWitnesses(policy, manifests);
  const bySize = new Map<number, { keys: Set<NoteKey>; seconds: number }>();
  for (const note of notes) {
    if (!isOfThisLog(note, judging)) continue;
    const cosigned = cosignersOf(note, known, findings);
    const found = bySize.get(note.checkpoint.size) ?? { keys: new Set(), seconds: 0 };
    bySize.set(note.checkpoint.size, found);
    for (const { cosigner, seconds } of cosigned) {
      found.keys.add(cosigner);
      found.seconds = Math.max(found.seconds, seconds);
    }
  }
  const newest = [...bySize]
    .filter(([, { keys }]) => keys.size > 0 && (policy === null || hasQuorum(policy, keys)))
    .toSorted(([a], [b]) => b - a)[0];
  judgeQuorum(newest?.[0] ?? null, judging, known.length);
  const [size, found] = newest ?? [0, { keys: new Set<NoteKey>(), seconds: 0 }];
  const by = [...found.keys].map(({ name }) => name).toSorted();
  const at = found.seconds === 0 ? '' : toSeconds(found.seconds * 1000);
  const able = new Set([...found.keys, ...knownWitnesses(policy, manifests.slice(-1))].map(({ key }) => key.id));
  return { size, at, by, of: able.size, quorum: quorumWord(policy, size) };
}

function quorumWord(policy: Policy | null, size: number): WitnessReport['quorum'] {
  if (policy === null) return 'no policy';
  if (policy.quorum === null) return 'none';
  return size > 0 ? 'met' : 'missing';
}

/** Those of the policy, and those of every manifest: a witness that was replaced still said what it said. */
function knownWitnesses(policy: Policy | null, manifests: readonly Manifest[]): NoteKey[] {
  const known = [...(policy?.witnesses ?? [])];
  for (const { role, name, pub } of manifests.flatMap(({ signers }) => signers)) {
    if (role !== 'witness') continue;
    const key = cosignerKey(name, parseSigningKeyText(pub));
    if (!known.some((other) => other.hash.equals(key.hash) && other.name === name)) known.push(key);
  }
  return known;
}

function isOfThisLog({ evidence, checkpoint }: CosignedNote, { tree, hasEnd, findings }: Judging): boolean {
  const { key } = evidence;
  const { size, root } = checkpoint;
  if (size > tree.size) {
    if (hasEnd) findings.add('verify/witness-rollback', { key }, `at least ${size} leaves`, `${tree.size}`);
    return false;
  }
  const found = tree.rootAt(size);
  if (found === root.toString('hex')) return true;
  // Null for a size within leaves that were not read: nothing can be said.
  if (found !== null) {
    findings.add('verify/witness-fork', { leaf: size, key }, `root ${root.toString('hex')} at ${size}`, found);
  }
  return false;
}

function cosignersOf(
  { evidence: { key, bytes } }: CosignedNote,
  known: readonly NoteKey[],
  findings: Findings,
): ReturnType<typeof verifyCosignatures> {
  try {
    const cosigned = verifyCosignatures(parseNote(bytes), known);
    if (cosigned.length === 0) findings.add('verify/witness-unknown', { key }, 'a witness that is known', 'others');
    return cosigned;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    findings.add('verify/witness-signature', { key }, error.expected, error.got);
    return [];
  }
}

function judgeQuorum(size: number | null, { tree, policy, timeAt, at, findings }: Judging, known: number): void {
  if (policy?.quorum === null || (policy === null && known === 0) || tree.size === 0) return;
  if (size === null) {
    const code = policy === null ? 'verify/witness-none' : 'verify/quorum-missing';
    findings.add(code, {}, 'a checkpoint that enough witnesses cosigned', 'none');
    return;
  }
  const since = size < tree.size ? timeAt(size) : null;
  if (since === null || policy === null) return;
  const isOld = fromSeconds(at) - fromSeconds(since) > MOST_UNWATCHED_MS;
  const code = isOld ? 'verify/quorum-stale' : 'verify/quorum-behind';
  findings.add(code, { leaf: size }, `a quorum for ${tree.size} leaves`, `for ${size}, of before ${since}`);
}
