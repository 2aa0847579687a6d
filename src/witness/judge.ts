// SPDX-License-Identifier: AGPL-3.0-or-later
import { FormatError, type FormatCode } from '../record/format-error.ts';
import { EMPTY_ROOT, type Hash } from '../record/hash.ts';
import { verifyConsistency } from '../record/merkle.ts';
import { verifyNote, type NoteKey, type SignedNote } from '../record/note.ts';
import type { AddCheckpoint } from '../record/add-checkpoint.ts';

/** The largest tree of a log that this witness cosigned. */
export interface Cosigned {
  readonly size: number;
  readonly root: Hash;
}

/** Why a checkpoint is not cosigned, as the protocol says it. */
export type Refusal =
  | { readonly status: 400 | 403 | 422; readonly reason: FormatCode }
  | { readonly status: 409; readonly size: number };

/** Signature and sizes: what can be told without knowing what was cosigned before. The note: nothing is against it so far. */
export function judgeAlone({ note, old, checkpoint }: AddCheckpoint, log: NoteKey): Refusal | SignedNote {
  if (note === null) return { status: 403, reason: 'format/note' };
  try {
    verifyNote(note, [log]);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { status: 403, reason: error.code };
  }
  return old > checkpoint.size ? { status: 400, reason: 'format/proof' } : note;
}

/** Against what was cosigned last. MUST run in the transaction that then remembers the new checkpoint. */
export function judgeGrowth({ old, proof, checkpoint }: AddCheckpoint, last: Cosigned | null): Refusal | null {
  const known = last ?? { size: 0, root: EMPTY_ROOT };
  if (old !== known.size) return { status: 409, size: known.size };
  const { size, root } = checkpoint;
  if (size === 0 && !root.equals(EMPTY_ROOT)) return { status: 422, reason: 'format/root' };
  if (old === 0) return proof.length === 0 ? null : { status: 422, reason: 'format/proof' };
  try {
    verifyConsistency(old, size, proof, known.root, root);
    return null;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { status: 422, reason: error.code };
  }
}
