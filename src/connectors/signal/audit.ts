// SPDX-License-Identifier: AGPL-3.0-or-later
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { OpenGap, Sightings } from '../connector.ts';
import type { SignalConfig } from './config.ts';
import { dropPending, targetOf } from './consequences.ts';
import type { Draft } from './draft.ts';
import type { AccountLane } from './lane.ts';
import { jsonBytes } from '../own-records.ts';
import { ownRecord } from './own-records.ts';
import { INTAKES } from './reasons.ts';
import { refNative } from './references.ts';
import { dayOf, seenName } from './state.ts';
import { encodeState } from '../state.ts';

const PRUNED_AT_ONCE = 500;

/**
 * The proof of completeness that the messages themselves give: who quotes, reacts, edits, deletes, votes, pins or confirms names an
 * author and a time. What is named and does not arrive is a gap; what arrives later closes it.
 */
export async function sweepReferences(lane: AccountLane, config: SignalConfig, nowMs: number): Promise<void> {
  const { referenceGrace } = config.thresholds;
  const isDue = (sinceMs: number): boolean => nowMs - sinceMs >= referenceGrace;
  if (![...lane.pending.values()].some(({ sinceMs }) => isDue(sinceMs))) return;
  let opened = 0;
  const edit = (draft: Draft): void => {
    opened = 0;
    for (const [tag, { stamp, sinceMs }] of lane.pending) {
      if (!isDue(sinceMs)) continue;
      dropPending(lane.pending, draft, tag);
      // Another intake may have brought it while the reference was on its way.
      if (draft.read(seenName(tag, stamp.sentAtMs)) !== null || lane.gaps.ofTag(tag).length > 0) continue;
      const about = {
        native: refNative(stamp),
        target: targetOf(lane.account, stamp),
        fromMs: stamp.sentAtMs,
      } as const;
      draft.open(tag, { cause: 'reference-unseen', scope: 'message', ...about, toMs: sinceMs });
      opened += 1;
    }
  };
  await lane.submit({ edit });
  if (opened > 0) lane.alarm('reference-unseen', opened);
}

/** Gaps about single messages that nobody will fill any more. */
export async function sweepGaps(lane: AccountLane, config: SignalConfig, nowMs: number): Promise<void> {
  const { undecryptableFinal, untrustedFinal, referenceHorizon } = config.thresholds;
  const late = (): OpenGap[] => [
    ...lane.gaps.ofCause('undecryptable').filter(({ atMs }) => nowMs - atMs >= undecryptableFinal),
    ...lane.gaps.ofCause('untrusted-identity').filter(({ atMs }) => nowMs - atMs >= untrustedFinal),
    ...lane.gaps.ofCause('reference-unseen').filter(({ atMs }) => nowMs - atMs >= referenceHorizon),
  ];
  const undecryptable = late().filter(({ cause }) => cause === 'undecryptable').length;
  if (late().length === 0) return;
  await lane.submit({
    edit: (draft) => {
      for (const gap of late()) draft.end(gap, 'final');
    },
  });
  if (undecryptable > 0) lane.alarm('undecryptable', undecryptable);
}

/** Forgets the index of archived messages beyond the horizon, a day at a time. */
export async function pruneIndex(lane: AccountLane, config: SignalConfig, nowMs: number): Promise<void> {
  const oldest = dayOf(nowMs - config.thresholds.referenceHorizon);
  const pruned = lane.read<number>('pruned') ?? 0;
  if (pruned >= oldest) return;
  const names = lane.sink.sessionNames('seen/').filter((name) => Number(name.split('/')[1]) < oldest);
  for (let at = 0; at < names.length; at += PRUNED_AT_ONCE) {
    const session = names.slice(at, at + PRUNED_AT_ONCE).map((name) => ({ name, value: null }));
    await lane.submit({ session });
  }
  await lane.submit({ session: [{ name: 'pruned', value: encodeState(oldest) }] });
}

/** Messages first seen in a span of time. */
function sightingsBetween(lane: AccountLane, fromMs: number, toMs: number): Sightings {
  const since = lane.sink.sightings(fromMs);
  const later = lane.sink.sightings(toMs);
  return {
    total: since.total - later.total,
    byIntake: difference(since.byIntake, later.byIntake),
    only: difference(since.only, later.only),
    differing: since.differing - later.differing,
  };
}

function difference(all: Sightings['only'], less: Sightings['only']): Record<string, number> {
  return Object.fromEntries(Object.entries(all).map(([name, count]) => [name, count - (less[name] ?? 0)]));
}

/** How many messages of a span of time the webhook did not bring although another intake did. */
export function missedByWebhook(lane: AccountLane, fromMs: number, toMs: number): number {
  const { total, byIntake, only } = sightingsBetween(lane, fromMs, toMs);
  // All but what the connector asked for or says itself, and what the spool records once more.
  const own = Object.keys(only).filter((via) => !(INTAKES as readonly string[]).includes(via));
  return own.reduce((missed, via) => missed - (only[via] ?? 0), total - (byIntake['webhook'] ?? 0));
}

/** What each intake brought from the last report until `toMs`: evidence of completeness, per path. */
export async function reportIntakes(lane: AccountLane, toMs: number, nowMs: number): Promise<void> {
  const fromMs = lane.read<{ atMs: number }>('report')?.atMs ?? lane.linkedMs;
  if (toMs <= fromMs) return;
  const { total, byIntake, only, differing } = sightingsBetween(lane, fromMs, toMs);
  const report = { fromMs, toMs, total, byIntake: { ...byIntake }, only: { ...only }, differing };
  const record = {
    body: { kind: 'intakes', report },
    id: String(toMs),
    raw: jsonBytes(report),
    via: 'connector',
  } as const;
  await lane.submit({
    captures: [ownRecord(lane.account, nowMs, record)],
    session: [{ name: 'report', value: encodeState({ atMs: toMs }) }],
  });
}

/** Share in use of the volume that holds signal-cli's journal: full, signal-cli acknowledges what it cannot write. */
export async function volumeShare(journal: string): Promise<number | null> {
  const volume = await statfs(dirname(journal)).catch(() => null);
  if (volume === null || volume.blocks === 0) return null;
  const used = volume.blocks - volume.bfree;
  return used / (used + volume.bavail);
}
