// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Chat, Party } from '../../../record/message.ts';
import {
  bareJid,
  isGroup,
  isNobody,
  isOwn,
  keyOf,
  NOBODY,
  pairOf,
  partyOf,
  personOf,
  STATUS,
  type Person,
} from './address.ts';
import { childOf, childrenOf, nowhere, secondsToMs, type Frame } from './frame.ts';
import type { AddressPair, Context, StanzaNode } from './input.ts';
import { text } from './plain.ts';

/** Where something stands: what a frame needs to know of its conversation. */
export type Place = Pick<Frame, 'chat' | 'chatKey' | 'room' | 'partner'>;

const NOWHERE: Place = { chat: null, chatKey: '', room: '', partner: NOBODY };

/** The frame of a `<message>`: who wrote it, where, and when the server took it. Both addresses of everybody where the stanza tells them. */
export function messageFrame(context: Context, node: StanzaNode, raw: Uint8Array): Frame {
  const { attrs } = node;
  const from = bareJid(attrs['from']);
  const sender = senderOf(context, node);
  const isMine = isOwn(context.own, sender);
  const place = isPeer(node, isMine) ? NOWHERE : placeOf(context, from, sender, recipientOf(context, node));
  const { chat } = place;
  const direction = chat === null ? 'none' : isMine ? 'out' : 'in';
  const isMessage = attrs['id'] !== undefined && attrs['id'] !== '';
  return {
    ...nowhere(context, raw),
    ...place,
    direction,
    sender,
    pushName: text(attrs['notify']),
    id: isMessage ? (attrs['id'] ?? null) : null,
    atMs: secondsToMs(attrs['t']),
    isMessage,
    pairs: [...pairOf(place.partner), ...participantPairs(context, node)],
  };
}

/** What own devices tell each other stands in no conversation. */
function isPeer({ attrs }: StanzaNode, isMine: boolean): boolean {
  return attrs['category'] === 'peer' && isMine;
}

export function senderOf({ own }: Context, { attrs }: StanzaNode): Person {
  const { from, participant } = attrs;
  const others = ['participant_pn', 'participant_lid', 'sender_pn', 'sender_lid'].map((name) => attrs[name]);
  if (participant !== undefined) return personOf(own, participant, ...others);
  return isGroup(bareJid(from)) ? NOBODY : personOf(own, from, ...others);
}

/** To whom one of the owner's devices wrote. */
function recipientOf({ own }: Context, { attrs }: StanzaNode): Person {
  const names = ['recipient', 'peer_recipient_pn', 'peer_recipient_lid', 'recipient_pn', 'recipient_lid'];
  return personOf(own, ...names.map((name) => attrs[name]));
}

export function placeOf(context: Context, from: string | null, sender: Person, recipient: Person): Place {
  if (from === null) return NOWHERE;
  if (isGroup(from)) return roomPlace('group', from);
  if (from === STATUS) return storyPlace(context, sender);
  if (from.endsWith('@broadcast')) return roomPlace('broadcast', from);
  if (from.endsWith('@newsletter')) return roomPlace('channel', from);
  const isMine = isOwn(context.own, sender);
  return directPlace(
    context,
    isMine && !isNobody(recipient) ? recipient : personOf(context.own, from, ...jidsOf(sender, isMine)),
  );
}

function jidsOf({ lid, pn }: Person, isMine: boolean): (string | null)[] {
  return isMine ? [] : [lid, pn];
}

/** A group, list or channel: everybody names it by the same JID. */
export function roomPlace(type: 'group' | 'broadcast' | 'channel', jid: string): Place {
  return { chat: { type, id: jid }, chatKey: `${type}:${jid}`, room: jid, partner: NOBODY };
}

export function directPlace(context: Context, partner: Person): Place {
  const bare: Person = { ...partner, device: null };
  const self = isOwn(context.own, bare);
  const { id, number } = partyOf(context, bare);
  const chat: Chat = { type: self ? 'self' : 'direct', id: id ?? number ?? null };
  return { chat, chatKey: self ? 'self' : `direct:${keyOf(bare)}`, room: '', partner: bare };
}

function storyPlace(context: Context, author: Person): Place {
  const { id, number } = partyOf(context, author);
  const chat: Chat = { type: 'story', id: id ?? number ?? null };
  return { chat, chatKey: `story:${keyOf(author)}`, room: STATUS, partner: NOBODY };
}

/** Members of a list that the stanza names, with the addresses that it tells for each. */
function participantPairs({ own }: Context, node: StanzaNode): AddressPair[] {
  return listed(node).flatMap(({ attrs }) => pairOf(personOf(own, attrs['jid'], attrs['phone_number'], attrs['lid'])));
}

/** To whom an own message went, where it went to a list of people one by one. */
export function recipientsOf(context: Context, node: StanzaNode): Party[] {
  return listed(node).map(({ attrs }) =>
    partyOf(context, personOf(context.own, attrs['jid'], attrs['phone_number'], attrs['lid'])),
  );
}

function listed(node: StanzaNode): readonly StanzaNode[] {
  const participants = childOf(node, 'participants');
  return participants === null
    ? []
    : childrenOf(participants).filter(({ tag }) => tag === 'to' || tag === 'participant');
}
