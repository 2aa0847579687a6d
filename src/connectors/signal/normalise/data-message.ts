// SPDX-License-Identifier: AGPL-3.0-or-later
import type { MessageRef, Party } from '../../../record/message.ts';
import { fields, integer, list, text, type Fields } from '../json.ts';
import { contentOf, saysSomething } from './content.ts';
import {
  malformed,
  messageRef,
  party,
  refKey,
  senderAsAuthor,
  understood,
  type Frame,
  type Meaning,
  type Place,
  type Understood,
} from './frame.ts';

/** Members that make no event of their own: what a message says, and its circumstances. */
const CONTENT_MEMBERS: ReadonlySet<string> = new Set([
  'timestamp',
  'message',
  'expiresInSeconds',
  'isExpirationUpdate',
  'viewOnce',
  'quote',
  'payment',
  'mentions',
  'previews',
  'attachments',
  'sticker',
  'contacts',
  'pollCreate',
  'textStyles',
  'groupInfo',
  'storyContext',
]);

type EventReader = (frame: Frame, event: Fields) => Meaning | null;

/** Members that are events about another message. Each present one is a capture of its own. */
const EVENTS: Readonly<Record<string, EventReader>> = {
  reaction: (_frame, event) =>
    about(targetOf(event), (target) => {
      const emoji = text(event['emoji']) ?? '';
      const removed = event['isRemove'] === true;
      const body = { kind: 'reaction', target, emoji, removed } as const;
      return { body, revision: `${refKey(target)}/${emoji}/${removed}` };
    }),
  remoteDelete: (frame, event) =>
    about(messageRef(senderAsAuthor(frame), integer(event['timestamp'])), (target) => ({
      body: { kind: 'delete', target, by: 'sender' },
      revision: refKey(target),
    })),
  adminDelete: (_frame, event) =>
    about(targetOf(event), (target) => ({
      body: { kind: 'delete', target, by: 'admin' },
      revision: `admin/${refKey(target)}`,
    })),
  pollVote: (_frame, event) =>
    about(
      messageRef(party(event, 'authorUuid', 'authorNumber', 'author'), integer(event['targetSentTimestamp'])),
      (target) => {
        const options = list(event['optionIndexes']).flatMap((index) => integer(index) ?? []);
        const count = integer(event['voteCount']) ?? 0;
        return { body: { kind: 'poll-vote', target, options, count }, revision: `${refKey(target)}/${count}` };
      },
    ),
  pollTerminate: (frame, event) =>
    about(messageRef(senderAsAuthor(frame), integer(event['targetSentTimestamp'])), (target) => ({
      body: { kind: 'poll-end', target },
      revision: refKey(target),
    })),
  pinMessage: (_frame, event) =>
    about(targetOf(event), (target) => ({
      body: { kind: 'pin', target, forSeconds: integer(event['pinDurationSeconds']) ?? 0 },
      revision: refKey(target),
    })),
  unpinMessage: (_frame, event) =>
    about(targetOf(event), (target) => ({ body: { kind: 'unpin', target }, revision: refKey(target) })),
};

/** All that one data message says: its events, else its content. */
export function understandData(frame: Frame, place: Place, data: Fields): Understood[] {
  const sentAtMs = integer(data['timestamp']);
  const meanings = Object.entries(EVENTS).flatMap(([name, read]) => {
    const event = fields(data[name]);
    return event === null ? [] : [read(frame, event) ?? malformed(name)];
  });
  if (data['isExpirationUpdate'] === true) {
    meanings.push({ body: { kind: 'timer', expiresInSeconds: integer(data['expiresInSeconds']) ?? 0 } });
  }
  const content = contentOf(data);
  if (saysSomething(content)) meanings.push({ body: { kind: 'message', content } });
  if (meanings.length === 0) meanings.push(shell(data));
  return meanings.map((meaning) => understood(frame, place, { ...meaning, sentAtMs }));
}

/** The message takes the place of an earlier revision of the sender's. */
export function understandEdit(frame: Frame, place: Place, edit: Fields, data: Fields): Understood {
  const target = messageRef(senderAsAuthor(frame), integer(edit['targetSentTimestamp']));
  if (target === null) return understood(frame, place, malformed('editMessage'));
  const body = { kind: 'edit', target, content: contentOf(data) } as const;
  return understood(frame, place, { body, revision: refKey(target), sentAtMs: integer(data['timestamp']) });
}

/** Nothing is said: a group change, a notice whose content signal-cli does not export, or a member of a newer version. */
function shell(data: Fields): Meaning {
  const stranger = Object.keys(data).some((name) => !CONTENT_MEMBERS.has(name) && data[name] !== null);
  if (stranger) return { body: { kind: 'unknown', reason: 'unknown dataMessage' } };
  const isUpdate = text(fields(data['groupInfo'])?.['type']) === 'UPDATE';
  return { body: { kind: isUpdate ? 'group-update' : 'empty' } };
}

function targetOf(event: Fields): MessageRef | null {
  const author: Party | null = party(event, 'targetAuthorUuid', 'targetAuthorNumber', 'targetAuthor');
  return messageRef(author, integer(event['targetSentTimestamp']));
}

function about(target: MessageRef | null, meaning: (target: MessageRef) => Meaning): Meaning | null {
  return target === null ? null : meaning(target);
}
