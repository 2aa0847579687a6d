// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { bareJid, isNobody, isOwn, ownPerson, pairOf, partyOf, personOf, type Person } from './address.ts';
import { reactionMeaning, responseMeaning, voteMeaning } from './answers.ts';
import { nowhere, refKey, unknown, type Frame, type Meaning } from './frame.ts';
import type { Context } from './input.ts';
import { understandMessage } from './message.ts';
import { msOf, msOfSeconds, text } from './plain.ts';
import { targetBy } from './said.ts';
import { recall } from './secrets.ts';
import { directPlace, placeOf } from './stanza.ts';
import { subMessage, unreadPaths } from './wire.ts';
import { nameOf, wordOf } from './words.ts';

const { StubType } = proto.WebMessageInfo;

/** `of` where a meaning has another sender or id than the message itself: a reaction kept beside it. */
export type PlacedMeaning = Meaning & { readonly of?: Frame };

export interface HistoryMessage {
  readonly frame: Frame;
  readonly meanings: readonly PlacedMeaning[];
}

/** A message as the phone kept it, with what it gathered about it since: reactions, votes, responses. May throw on bytes that are none. */
export function historyMessage(
  context: Context,
  raw: Uint8Array,
  head: proto.IConversation | null,
  bytes: Uint8Array,
): HistoryMessage {
  const decoded = proto.HistorySyncMsg.decode(bytes);
  const info: proto.IWebMessageInfo = decoded.message ?? {};
  const unread = unreadPaths(bytes, proto.HistorySyncMsg.encode(decoded).finish());
  const frame = frameOf(context, raw, head, info);
  const body = subMessage(bytes, [1, 2]);
  const outer =
    info.messageSecret === null || info.messageSecret === undefined ? {} : { messageSecret: info.messageSecret };
  const said = body === null || body.length === 0 ? [stubMeaning(frame, info)] : understandMessage(frame, body, outer);
  const gathered = gatheredOf(frame, info);
  return { frame, meanings: [...said.map((meaning) => ({ ...meaning, unread })), ...gathered] };
}

/** Whoever resends a message for us, and history: the key stands from the account's point of view. */
export function frameOf(
  context: Context,
  raw: Uint8Array,
  head: Pick<proto.IConversation, 'id' | 'lidJid' | 'pnJid'> | null,
  { key, participant, messageTimestamp, pushName }: proto.IWebMessageInfo,
): Frame {
  const { own } = context;
  const jid = bareJid(key?.remoteJid ?? head?.id);
  const partner = personOf(own, jid, head?.lidJid, head?.pnJid);
  const named = personOf(own, participant, key?.participant);
  const isMine = key?.fromMe === true;
  const sender = isMine ? ownPerson(own) : isNobody(named) ? partner : named;
  const isRoom = jid !== null && (isNobody(partner) || partner.other !== null) && !jid.endsWith('@bot');
  const place = isRoom ? placeOf(context, jid, sender, partner) : directPlace(context, partner);
  const id = text(key?.id);
  return {
    ...nowhere(context, raw),
    ...place,
    direction: isMine ? 'out' : 'in',
    sender,
    pushName: text(pushName),
    id,
    atMs: msOfSeconds(messageTimestamp),
    isMessage: id !== null,
    pairs: pairOf(partner),
  };
}

/** No content: something that happened, which the phone shows as a line between the messages. */
function stubMeaning(
  frame: Frame,
  { messageStubType: type, messageStubParameters = [], key }: proto.IWebMessageInfo,
): Meaning {
  if (type === null || type === undefined || type === StubType.UNKNOWN) return { body: { kind: 'empty' } };
  const name = nameOf(StubType, type);
  const word = wordOf(name);
  if (type === StubType.CIPHERTEXT)
    return { body: { kind: 'undecryptable', reason: 'not decrypted by the phone' }, isComplete: false };
  if (type === StubType.REVOKE) {
    const { ref } = targetBy(frame, frame.sender, key?.id ?? '');
    return { body: { kind: 'delete', target: ref, by: 'sender' }, revision: refKey(ref) };
  }
  if (name.startsWith('CALL_MISSED')) {
    const callType = name.endsWith('VIDEO') ? 'video' : 'audio';
    return { body: { kind: 'call', event: 'missed', callId: key?.id ?? '', callType } };
  }
  if (name === String(type)) return unknown(`stub ${type}`);
  if (frame.chat?.type !== 'group') return { body: { kind: 'sync', what: word }, revision: word };
  const { context } = frame;
  const people = (messageStubParameters ?? [])
    .map((one) => personOf(context.own, jidIn(one)))
    .filter((one) => !isNobody(one));
  const value = people.length > 0 ? null : text((messageStubParameters ?? []).join(' '));
  const change = { what: word, parties: people.map((one) => partyOf(context, one)), value };
  return { body: { kind: 'group-update', changes: [change] }, revision: word };
}

/** Parameters are JIDs, or JSON with an id in newer versions. */
function jidIn(parameter: string): string {
  const inJson = /"id"\s*:\s*"([^"]+)"/.exec(parameter)?.[1];
  return inJson ?? parameter;
}

function gatheredOf(frame: Frame, info: proto.IWebMessageInfo): PlacedMeaning[] {
  if (frame.id === null) return [];
  const target = targetBy(frame, frame.sender, frame.id);
  const { ref } = target;
  const known = (): readonly string[] => recall(frame.context, frame.room, target.author, target.id)[0]?.options ?? [];
  return [
    ...(info.reactions ?? []).map((one) => gathered(frame, one.key, reactionMeaning(ref, one))),
    ...(info.pollUpdates ?? []).map(({ pollUpdateMessageKey: key, vote, senderTimestampMs }) =>
      gathered(frame, key, voteMeaning(target, vote ?? {}, known(), msOf(senderTimestampMs))),
    ),
    ...(info.eventResponses ?? []).map(({ eventResponseMessageKey: key, eventResponseMessage: one, timestampMs }) =>
      gathered(frame, key, responseMeaning(ref, one ?? {}, msOf(timestampMs))),
    ),
  ];
}

/** By whom, by the key it came under. */
function gathered(frame: Frame, key: proto.IMessageKey | null | undefined, meaning: Meaning): PlacedMeaning {
  const { own } = frame.context;
  const named: Person = personOf(own, key?.participant);
  const sender = key?.fromMe === true ? ownPerson(own) : isNobody(named) ? frame.partner : named;
  const direction = isOwn(own, sender) ? 'out' : 'in';
  return {
    ...meaning,
    of: { ...frame, sender, direction, id: text(key?.id) ?? frame.id, pushName: null, isMessage: false },
  };
}
