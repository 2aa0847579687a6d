// SPDX-License-Identifier: AGPL-3.0-or-later
import type { FailureCode } from '../base/failure.ts';
import { parseEntry } from '../record/entry.ts';
import type { EscrowEntry, HoldEntry, ScrubEntry } from '../record/entry-types.ts';
import { FormatError } from '../record/format-error.ts';
import { sha256Hex } from '../record/hash.ts';
import { APPROVAL_GOOD_FOR_MS, approvalText, approverOf, isApproved, parseHoldDocument } from '../record/hold.ts';
import { signersOf } from '../record/manifest.ts';
import { fromSeconds } from '../record/period.ts';
import type { LogState } from './log-state.ts';

const MOST_AHEAD_MS = 15 * 60_000;

export type ApprovalJudgement =
  | {
      readonly outcome: 'take';
      readonly entry: HoldEntry | EscrowEntry | ScrubEntry;
      readonly documents: readonly string[];
    }
  /** It stands in the log already: nothing to do. */
  | { readonly outcome: 'known' }
  | { readonly outcome: 'refuse'; readonly code: FailureCode };

export interface ApprovalParts {
  readonly state: LogState;
  readonly origin: string;
  readonly clock: () => number;
}

/**
 * Judges an entry that officers approved, before it is logged: what it says, who signed it, that its document is the one it names, and
 * that it is none from before. The log remembers what it was read from; an entry that is older than that is refused, because it
 * may stand in a part that this start did not read.
 */
export function judgeApproved(
  { line, document }: { readonly line: string; readonly document: string },
  { state, origin, clock }: ApprovalParts,
): ApprovalJudgement {
  const refused = (code: FailureCode): ApprovalJudgement => ({ outcome: 'refuse', code });
  let entry;
  try {
    entry = parseEntry(line);
    if (entry.t !== 'hold' && entry.t !== 'escrow' && entry.t !== 'scrub') return refused('archive/bad-approval');
    if (entry.t === 'hold') parseHoldDocument(document);
  } catch (error) {
    if (error instanceof FormatError) return refused('archive/bad-approval');
    throw error;
  }
  const { manifest } = state;
  const isWhole =
    entry.t === 'hold'
      ? entry.objects.h === sha256Hex(document) && entry.objects.n === Buffer.byteLength(document)
      : document === '';
  if (entry.log !== origin) return refused('archive/other-log');
  if (!isWhole || manifest === null) return refused('archive/bad-approval');
  if (!isApproved(entry, signersOf(manifest, approverOf(entry)))) return refused('archive/unknown-officer');
  if (state.hasApproved(sha256Hex(approvalText(entry)))) return { outcome: 'known' };
  const [atMs, nowMs] = [fromSeconds(entry.at), clock()];
  const isFresh =
    atMs >= Math.max(nowMs - APPROVAL_GOOD_FOR_MS, state.remembersSinceMs) && atMs <= nowMs + MOST_AHEAD_MS;
  if (!isFresh) return refused('archive/stale-approval');
  return { outcome: 'take', entry, documents: entry.t === 'hold' ? [document] : [] };
}
