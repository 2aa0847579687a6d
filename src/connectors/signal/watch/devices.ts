// SPDX-License-Identifier: AGPL-3.0-or-later
import { fieldsList, integer } from '../json.ts';
import type { AccountLane } from '../lane.ts';
import { gapCapture } from '../own-records.ts';
import { encodeState } from '../../state.ts';
import { accountPath, type WatchParts } from './parts.ts';

const PHONE = 1;
const DAY_MS = 86_400_000;

/** When the owner's phone was last heard of, and how many of the thresholds were told. */
interface Phone {
  readonly seenMs: number;
  readonly told: number;
}

/**
 * The list of linked devices: the one call that goes to Signal's server and back, so the best probe there is; and when the phone was
 * last online, because Signal removes linked devices of a phone that stays away.
 */
export async function watchDevices(
  lane: AccountLane,
  parts: WatchParts,
  seenByMessageMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { json } = await parts.rest.get(accountPath('devices', lane.account), signal);
  const phone = fieldsList(json).find((device) => device['id'] === PHONE);
  const listedMs = integer(phone?.['last_seen_timestamp']) ?? 0;
  const known = lane.read<Phone>('phone');
  const nowMs = parts.clock();
  const seenMs = Math.max(listedMs, seenByMessageMs, known?.seenMs ?? 0);
  // Never heard of: nothing can be said.
  if (seenMs === 0) return;
  const thresholds = parts.config.thresholds.phoneIdle.toSorted((a, b) => a - b);
  const passed = thresholds.filter((threshold) => nowMs - seenMs >= threshold).length;
  await note(lane, { seenMs, told: passed }, known, { isGap: passed === thresholds.length, nowMs });
  if (passed > (known?.told ?? 0)) lane.alarm('phone-idle', Math.round((thresholds[passed - 1] ?? 0) / DAY_MS));
}

async function note(
  lane: AccountLane,
  phone: Phone,
  known: Phone | null,
  { isGap, nowMs }: { isGap: boolean; nowMs: number },
): Promise<void> {
  const open = lane.gaps.find('phone-idle');
  const gap = { cause: 'phone-idle', scope: 'account' } as const;
  const captures = [];
  if (isGap && open === undefined) {
    captures.push(gapCapture(lane.account, nowMs, { ...gap, state: 'open', fromMs: phone.seenMs }));
  }
  if (!isGap && open !== undefined) {
    captures.push(gapCapture(lane.account, nowMs, { ...gap, state: 'closed', ref: open.id, toMs: phone.seenMs }));
  }
  if (captures.length === 0 && known?.told === phone.told && phone.seenMs - known.seenMs < DAY_MS) return;
  await lane.submit({ captures, session: [{ name: 'phone', value: encodeState({ ...phone }) }] });
}
