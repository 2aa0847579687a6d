// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Chat, Party } from '../../../record/message.ts';
import { fields, integer, text, type Fields } from '../json.ts';
import { keyOf, party, senderAsAuthor, type Frame, type Place } from './frame.ts';

/** Where a data message of somebody stands: its group, else the conversation with the sender. */
export function incomingPlace(frame: Frame, data: Fields): Place {
  return groupPlace(data, 'in') ?? directPlace(senderAsAuthor(frame), 'in', frame.sender?.name ?? null);
}

/** Where the owner's own message stands: `destination` is null for groups, and the owner for notes to self. */
export function outgoingPlace(frame: Frame, sent: Fields, data: Fields): Place {
  const group = groupPlace(data, 'out');
  if (group !== null) return group;
  const destination = party(sent, 'destinationUuid', 'destinationNumber', 'destination');
  if (destination === null) return { chat: { type: 'unknown', id: null }, chatKey: '', direction: 'out' };
  const isSelf = destination.id === frame.sender?.id || destination.number === frame.account;
  if (!isSelf) return directPlace(destination, 'out', null);
  return { chat: { type: 'self', id: destination.id }, chatKey: 'self', direction: 'out' };
}

export function directPlace(other: Party | null, direction: Place['direction'], name: string | null): Place {
  const id = other === null ? null : keyOf(other);
  const chat: Chat = { type: id === null ? 'unknown' : 'direct', id, name };
  return { chat, chatKey: id === null ? '' : directKey(id), direction };
}

/** Stories stand beside the conversations: to a group, or to whom the author chose. */
export function storyPlace(groupId: string | null, author: Party | null, direction: Place['direction']): Place {
  const id = groupId ?? (author === null ? null : keyOf(author));
  return { chat: { type: 'story', id }, chatKey: `story:${id ?? ''}`, direction };
}

export function groupPlaceOf(groupId: string, direction: Place['direction']): Place {
  return { chat: { type: 'group', id: groupId }, chatKey: groupKey(groupId), direction };
}

export function directKey(id: string): string {
  return `direct:${id}`;
}

export function groupKey(groupId: string): string {
  return `group:${groupId}`;
}

function groupPlace(data: Fields, direction: Place['direction']): Place | null {
  const info = fields(data['groupInfo']);
  const id = text(info?.['groupId']);
  if (info === null || id === null) return null;
  const chat = { type: 'group', id, name: text(info['groupName']), revision: integer(info['revision']) } as const;
  return { chat, chatKey: groupKey(id), direction };
}
