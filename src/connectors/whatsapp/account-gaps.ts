// SPDX-License-Identifier: AGPL-3.0-or-later
import type { GapCause } from '../../record/vocabulary.ts';
import type { Capture } from '../connector.ts';
import type { AccountLane } from './lane.ts';
import { gapCapture } from './own-records.ts';

/** The account's gap of this cause, unless one is open. */
export function openingGap(lane: AccountLane, cause: GapCause, fromMs: number, detail: string): Capture[] {
  if (lane.gaps.find(cause) !== undefined) return [];
  return [gapCapture(lane.account, lane.nowMs, { cause, scope: 'account', state: 'open', fromMs, detail })];
}

/** Ends the account's gaps of these causes. */
export function closingGaps(lane: AccountLane, causes: readonly GapCause[]): Capture[] {
  return causes
    .flatMap((cause) => lane.gaps.ofCause(cause))
    .filter(({ scope }) => scope === 'account')
    .map(({ id, cause, scope }) =>
      gapCapture(lane.account, lane.nowMs, { cause, scope, state: 'closed', ref: id, toMs: lane.nowMs }),
    );
}
