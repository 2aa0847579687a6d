// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef, ViewBody } from '../../../record/message.ts';
import { decimal, fields, fieldsList, integer, list, text, type Fields } from '../json.ts';
import { storyContent } from './content.ts';
import { malformed, NOWHERE, senderAsAuthor, understood, type Frame, type Understood } from './frame.ts';
import { directPlace, groupPlaceOf, storyPlace } from './place.ts';

/** Calls: who rang, took up, was busy, hung up. Each event of each call is a capture; network candidates are one per call. */
export function understandCall(frame: Frame, call: Fields): Understood[] {
  const place = directPlace(senderAsAuthor(frame), 'in', frame.sender?.name ?? null);
  const events = Object.entries(CALL_EVENTS).flatMap(([member, event]) =>
    callsOf(call, member).map((one): ViewBody => {
      const callId = decimal(one['id']) ?? '';
      return { kind: 'call', event, callId, callType: text(one['type']) };
    }),
  );
  if (events.length === 0) {
    const isEmpty = Object.values(call).every((value) => value === null);
    const body: ViewBody = isEmpty ? { kind: 'empty' } : { kind: 'unknown', reason: 'unknown callMessage' };
    return [understood(frame, place, { body })];
  }
  return events.map((body) => {
    const revision = body.kind === 'call' ? `${body.event}/${body.callId}` : '';
    return understood(frame, place, { body, revision });
  });
}

const CALL_EVENTS: Readonly<Record<string, string>> = {
  offerMessage: 'offer',
  answerMessage: 'answer',
  busyMessage: 'busy',
  hangupMessage: 'hangup',
  iceUpdateMessages: 'ice',
};

/** One per call id: the candidates of one call come in lists. */
function callsOf(call: Fields, member: string): Fields[] {
  const single = fields(call[member]);
  const all = single === null ? fieldsList(call[member]) : [single];
  return [...new Map(all.map((one) => [decimal(one['id']), one])).values()];
}

/** Receipts of others for the owner's own messages. One that is of several sorts is several captures. */
export function understandReceipt(frame: Frame, receipt: Fields): Understood[] {
  const author = { id: null, number: frame.account };
  const times = list(receipt['timestamps']).flatMap((time) => integer(time) ?? []);
  const targets: readonly MessageRef[] = times.map((sentAtMs) => ({ author, sentAtMs }));
  const states = Object.entries(RECEIPT_STATES).filter(([member]) => receipt[member] === true);
  if (states.length === 0) return [understood(frame, NOWHERE, malformed('receiptMessage'))];
  const place = { ...NOWHERE, direction: 'in' } as const;
  return states.map(([, state]) =>
    understood(frame, place, { body: { kind: 'receipt', state, targets }, revision: `${state}/${times.join(' ')}` }),
  );
}

const RECEIPT_STATES: Readonly<Record<string, 'delivered' | 'read' | 'viewed'>> = {
  isDelivery: 'delivered',
  isRead: 'read',
  isViewed: 'viewed',
};

export function understandTyping(frame: Frame, typing: Fields): Understood[] {
  const groupId = text(typing['groupId']);
  const place =
    groupId === null
      ? directPlace(senderAsAuthor(frame), 'in', frame.sender?.name ?? null)
      : groupPlaceOf(groupId, 'in');
  const action = text(typing['action']) ?? '';
  return [understood(frame, place, { body: { kind: 'typing', action }, revision: action })];
}

export function understandStory(frame: Frame, story: Fields): Understood[] {
  const place = storyPlace(text(story['groupId']), senderAsAuthor(frame), 'in');
  const body = { kind: 'story', content: storyContent(story), allowsReplies: story['allowsReplies'] === true } as const;
  return [understood(frame, place, { body })];
}
