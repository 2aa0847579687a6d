// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { bareJid, isGroup, NOBODY, pairOf, partyOf, partyOfJid, personOf } from './address.ts';
import { unknown, type Frame, type Meaning } from './frame.ts';
import type { Context } from './input.ts';
import { integer, msOfSeconds, text } from './plain.ts';
import { directPlace, placeOf } from './stanza.ts';
import { unreadPaths } from './wire.ts';
import { nameOf, wordOf } from './words.ts';

/** Names, who left which group, which number is which LID: what a history blob holds beside conversations and calls. */
export function restMeaning(context: Context, bytes: Uint8Array): Meaning {
  const history = proto.HistorySync.decode(bytes);
  const unread = unreadPaths(bytes, proto.HistorySync.encode(history).finish());
  const { pushnames, pastParticipants, phoneNumberToLidMappings } = history;
  const state = {
    names: pushnames.map(({ id, pushname }) => ({ ...partyOfJid(context, id), name: text(pushname) })),
    left: pastParticipants.map(({ groupJid, pastParticipants: people }) => ({
      group: bareJid(groupJid),
      members: (people ?? []).map(({ userJid, leaveTs }) => ({
        ...partyOfJid(context, userJid),
        leftAtMs: msOfSeconds(leaveTs),
      })),
    })),
    addresses: phoneNumberToLidMappings.length,
  };
  const pairs = phoneNumberToLidMappings.flatMap(({ pnJid, lidJid }) => pairOf(personOf(context.own, pnJid, lidJid)));
  return { body: { kind: 'contacts', state }, pairs, unread };
}

export function callMeaning(bytes: Uint8Array): Meaning {
  const call = proto.CallLogRecord.decode(bytes);
  return {
    body: {
      kind: 'call',
      event: 'log',
      callId: call.callId ?? '',
      callType: call.isVideo === true ? 'video' : 'audio',
      reason: wordOf(nameOf(proto.CallLogRecord.CallResult, call.callResult)),
      seconds: integer(call.duration),
    },
    revision: call.callId ?? '',
    sentAtMs: msOfSeconds(call.startTime),
    unread: unreadPaths(bytes, proto.CallLogRecord.encode(call).finish()),
  };
}

/** A conversation without its messages: of a group, who is in it; of a person, both addresses and the name. */
export function conversationMeaning(frame: Frame, head: proto.IConversation | null): Meaning & { of?: Frame } {
  if (head === null) return unknown('not a conversation');
  const { context } = frame;
  const jid = bareJid(head.id);
  const partner = personOf(context.own, jid, head.lidJid, head.pnJid);
  const place =
    partner.lid !== null || partner.pn !== null ? directPlace(context, partner) : placeOf(context, jid, NOBODY, NOBODY);
  const of: Frame = { ...frame, ...place };
  const name = text(head.name) ?? text(head.displayName);
  if (!isGroup(jid)) {
    const state = { party: partyOf(context, partner, name), ephemeralSeconds: integer(head.ephemeralExpiration) };
    return { of, body: { kind: 'contacts', state }, pairs: pairOf(partner) };
  }
  const members = (head.participant ?? []).map(({ userJid, rank }) => ({
    ...partyOfJid(context, userJid),
    role: wordOf(nameOf(proto.GroupParticipant.Rank, rank ?? 0)),
  }));
  const state = {
    id: jid,
    name,
    createdAtMs: msOfSeconds(head.createdAt),
    createdBy: head.createdBy === null || head.createdBy === undefined ? null : partyOfJid(context, head.createdBy),
    description: text(head.description),
    parent: bareJid(head.parentGroupId),
    expiresInSeconds: integer(head.ephemeralExpiration),
    members,
  };
  return { of, body: { kind: 'group', state } };
}
