// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef, Party } from '../../../record/message.ts';
import { fields, fieldsList, integer, list, text, type Fields } from '../json.ts';
import { storyContent } from './content.ts';
import { understandData, understandEdit } from './data-message.ts';
import {
  isUuid,
  messageRef,
  NOWHERE,
  party,
  refKey,
  senderAsAuthor,
  understood,
  type Frame,
  type Understood,
} from './frame.ts';
import { outgoingPlace, storyPlace } from './place.ts';

const KNOWN: ReadonlySet<string> = new Set([
  'sentMessage',
  'sentStoryMessage',
  'blockedNumbers',
  'blockedGroupIds',
  'readMessages',
  'type',
]);

/** What the owner's other devices, mostly the phone, tell this one. */
export function understandSync(frame: Frame, sync: Fields): Understood[] {
  const found = [
    ...sent(frame, sync),
    ...sentStory(frame, sync),
    ...readMessages(frame, sync),
    ...blocked(frame, sync),
  ];
  const type = text(sync['type']);
  if (type !== null) found.push(understood(frame, NOWHERE, { body: { kind: 'sync', what: type }, revision: type }));
  if (found.length > 0) return found;
  const stranger = Object.keys(sync).some((name) => !KNOWN.has(name) && sync[name] !== null);
  if (stranger) return [understood(frame, NOWHERE, { body: { kind: 'unknown', reason: 'unknown syncMessage' } })];
  // View-once opened, viewed, message request answered, deleted for me and more all look like this.
  return [understood(frame, NOWHERE, { body: { kind: 'sync', what: 'empty' } })];
}

function sent(frame: Frame, sync: Fields): Understood[] {
  const message = fields(sync['sentMessage']);
  if (message === null) return [];
  const edit = fields(message['editMessage']);
  if (edit !== null) {
    const data = fields(edit['dataMessage']) ?? {};
    return [understandEdit(frame, outgoingPlace(frame, message, data), edit, data)];
  }
  const { destination: _a, destinationNumber: _b, destinationUuid: _c, editMessage: _d, ...data } = message;
  return understandData(frame, outgoingPlace(frame, message, data), data);
}

function sentStory(frame: Frame, sync: Fields): Understood[] {
  const story = fields(sync['sentStoryMessage']);
  if (story === null) return [];
  const place = storyPlace(text(story['groupId']), senderAsAuthor(frame), 'out');
  const body = { kind: 'story', content: storyContent(story), allowsReplies: story['allowsReplies'] === true } as const;
  return [understood(frame, place, { body })];
}

function readMessages(frame: Frame, sync: Fields): Understood[] {
  const targets = fieldsList(sync['readMessages']).flatMap((read): MessageRef[] => {
    const author = party(read, 'senderUuid', 'senderNumber', 'sender');
    const target = messageRef(author, integer(read['timestamp']));
    return target === null ? [] : [target];
  });
  if (targets.length === 0) return [];
  const revision = targets.map(refKey).join(' ');
  return [understood(frame, NOWHERE, { body: { kind: 'read-sync', targets }, revision })];
}

/** The whole list of whom the owner blocks from here on: signal-cli hands on nothing of theirs any more. */
function blocked(frame: Frame, sync: Fields): Understood[] {
  const { blockedNumbers, blockedGroupIds } = sync;
  if ((blockedNumbers ?? null) === null && (blockedGroupIds ?? null) === null) return [];
  const parties = list(blockedNumbers).flatMap((entry): Party[] => {
    const who = text(entry);
    if (who === null) return [];
    return [isUuid(who) ? { id: who, number: null } : { id: null, number: who }];
  });
  const groups = list(blockedGroupIds).flatMap((entry) => text(entry) ?? []);
  return [understood(frame, NOWHERE, { body: { kind: 'block-list', parties, groups } })];
}
