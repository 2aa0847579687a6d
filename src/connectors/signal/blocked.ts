// SPDX-License-Identifier: AGPL-3.0-or-later
import type { NativeId, View } from '../../record/message.ts';
import type { AccountContext } from './consequences.ts';
import type { Draft } from './draft.ts';
import { keyOf } from './normalise/frame.ts';
import { directKey, groupKey } from './normalise/place.ts';
import { decodeState, encodeState } from '../state.ts';

/** Whom the owner blocks, as of the last list that the phone sent. */
interface Blocked {
  readonly atMs: number;
  readonly chats: readonly string[];
}

/**
 * The phone sent the whole list of blocked contacts and groups. signal-cli drops what they send, silently and for good, so each is a
 * gap from here on, until a later list lacks it. REST does not show it: its `blocked` is always false.
 */
export function noteBlocked(context: AccountContext, draft: Draft, view: View, headerAtMs: number | null): void {
  if (view.kind !== 'block-list') return;
  const before = decodeState<Blocked>(draft.read('blocked')) ?? { atMs: 0, chats: [] };
  const atMs = headerAtMs ?? draft.nowMs;
  // A journal may bring a list that a later one has replaced.
  if (atMs <= before.atMs) return;
  const chats = [...view.parties.map((party) => directKey(keyOf(party))), ...view.groups.map(groupKey)];
  draft.write('blocked', encodeState({ atMs, chats }));
  for (const chat of chats.filter((one) => !before.chats.includes(one))) noteBlockedChat(context, draft, chat, atMs);
  for (const chat of before.chats.filter((one) => !chats.includes(one))) {
    const native = blockedNative(chat);
    const tag = context.sink.tagOf(native);
    draft.endOpening(tag, atMs);
    for (const gap of context.gaps.ofTag(tag)) draft.end(gap, 'closed', { native, toMs: atMs });
  }
}

function noteBlockedChat({ sink, gaps, alarm }: AccountContext, draft: Draft, chat: string, fromMs: number): void {
  const cause = chat.startsWith('group:') ? 'blocked-group' : 'blocked-contact';
  const native = blockedNative(chat);
  const tag = sink.tagOf(native);
  if (gaps.ofTag(tag).length > 0) return;
  draft.open(tag, { cause, scope: 'chat', native, fromMs, detail: chat });
  draft.afterwards(() => alarm(cause));
}

function blockedNative(chat: string): NativeId {
  return { chat, sender: '', id: '', kind: 'blocked', revision: '' };
}
