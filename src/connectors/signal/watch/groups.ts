// SPDX-License-Identifier: AGPL-3.0-or-later
import { canonicalize, type Json } from '../../../record/canonical.ts';
import type { Capture, SessionChange } from '../../connector.ts';
import { fields, list, plain, text, type JsonValue } from '../json.ts';
import type { AccountLane } from '../lane.ts';
import { groupKey } from '../normalise/place.ts';
import { ownRecord } from '../own-records.ts';
import { sliceItems } from '../slice.ts';
import type { StateName } from '../state.ts';
import { encodeState } from '../../state.ts';
import { accountPath, type WatchParts } from './parts.ts';

type GroupState = Readonly<Record<string, Json>>;

/**
 * Groups as they are now. Envelopes carry only a group's id, title and revision: who was added or removed is told by the difference of
 * two snapshots.
 */
export async function watchGroups(
  lane: AccountLane,
  parts: WatchParts,
  revisionOf: (groupId: string) => number | null,
  signal: AbortSignal,
): Promise<void> {
  const { body, json } = await parts.rest.get(accountPath('groups', lane.account, '?expand=true'), signal);
  const items = sliceItems(body) ?? [];
  const captures: Capture[] = [];
  const session: SessionChange[] = [];
  const nowMs = parts.clock();
  for (const [at, item] of list(json).entries()) {
    const group = plain(item) as GroupState;
    const groupId = text(fields(item)?.['internal_id']);
    if (groupId === null) continue;
    const name = stateName(lane, groupId);
    const before = lane.read<GroupState>(name);
    if (before !== null && canonicalize(before) === canonicalize(group)) continue;
    const revision = revisionOf(groupId);
    const chat = { type: 'group', id: groupId, name: text(fields(item)?.['name']), revision } as const;
    const state = { group, ...memberChanges(before, item) };
    const body_ = { kind: 'group', state } as const;
    captures.push(
      ownRecord(lane.account, nowMs, {
        body: body_,
        chat,
        id: `${groupId}@${nowMs}`,
        raw: items[at] ?? body,
        via: 'rest',
      }),
    );
    session.push({ name, value: encodeState(group) });
  }
  if (captures.length > 0) await lane.submit({ captures, session });
}

function stateName(lane: AccountLane, groupId: string): StateName {
  return `group/${lane.sink.tagOf({ chat: groupKey(groupId), sender: '', id: '', kind: 'group', revision: '' })}`;
}

/** Nothing for the first snapshot: nobody knows what was before. */
function memberChanges(before: GroupState | null, now: JsonValue): { added?: string[]; removed?: string[] } {
  if (before === null) return {};
  const old = membersOf(before as unknown as JsonValue);
  const current = membersOf(now);
  return { added: [...current.difference(old)].toSorted(), removed: [...old.difference(current)].toSorted() };
}

function membersOf(group: JsonValue): Set<string> {
  return new Set(
    list(fields(group)?.['members']).flatMap((member) => {
      const one = fields(member);
      return text(member) ?? text(one?.['uuid']) ?? text(one?.['number']) ?? [];
    }),
  );
}
