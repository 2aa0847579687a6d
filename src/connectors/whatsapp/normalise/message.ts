// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { ViewBody } from '../../../record/message.ts';
import { reactionMeaning } from './answers.ts';
import { contentOf, SPOKEN_MEMBERS, spokenOf } from './content.ts';
import { refKey, unknown, type Frame, type Meaning } from './frame.ts';
import { memoryOf } from './memory.ts';
import { integer, msOf } from './plain.ts';
import { understandProtocol } from './protocol.ts';
import { about, decodeMessage, targetOf, type Said } from './said.ts';
import { SEALED } from './sealed.ts';
import type { Spoken } from './spoken.ts';
import { unwrap } from './unwrap.ts';
import { nameOf, wordOf } from './words.ts';

type Reader = (said: Said) => Meaning[];

/** Members that are events, not content. */
const EVENTS: Readonly<Record<string, Reader>> = {
  ...SEALED,
  protocolMessage: understandProtocol,
  reactionMessage: ({ frame, message: { reactionMessage: one } }) =>
    about('reactionMessage', targetOf(frame, one?.key), ({ ref }) => reactionMeaning(ref, one ?? {})),
  pinInChatMessage: ({ frame, info, message: { pinInChatMessage: one } }) =>
    about('pinInChatMessage', targetOf(frame, one?.key), ({ ref }) => {
      const { PIN_FOR_ALL, UNPIN_FOR_ALL } = proto.Message.PinInChatMessage.Type;
      const sentAtMs = msOf(one?.senderTimestampMs);
      const revision = refKey(ref);
      if (one?.type === UNPIN_FOR_ALL) return { body: { kind: 'unpin', target: ref }, revision, sentAtMs };
      if (one?.type !== PIN_FOR_ALL) return unknown('pinInChatMessage');
      const forSeconds = integer(info.messageAddOnDurationInSecs) ?? 0;
      return { body: { kind: 'pin', target: ref, forSeconds }, revision, sentAtMs };
    }),
  keepInChatMessage: ({ frame, message: { keepInChatMessage: one } }) =>
    about('keepInChatMessage', targetOf(frame, one?.key), ({ ref }) => ({
      body: { kind: 'keep', target: ref, kept: one?.keepType === proto.KeepType.KEEP_FOR_ALL },
      revision: `${refKey(ref)}/${one?.keepType ?? ''}`,
      sentAtMs: msOf(one?.timestampMs),
    })),
  callLogMesssage: ({ frame, message: { callLogMesssage: one } }) => [
    {
      body: {
        kind: 'call',
        event: 'log',
        callId: frame.id ?? '',
        callType: one?.isVideo === true ? 'video' : 'audio',
        reason: wordOf(nameOf(proto.Message.CallLogMessage.CallOutcome, one?.callOutcome)),
        seconds: integer(one?.durationSecs),
      },
    },
  ],
  placeholderMessage: () => [{ body: { kind: 'unavailable', what: 'masked-on-linked-devices' } }],
};

/** Every member that is understood, for tests that they all are tested. */
export const UNDERSTOOD_MEMBERS: readonly string[] = [...Object.keys(EVENTS), ...SPOKEN_MEMBERS];

/** All that the bytes of one decrypted message say: its events and its content. Never empty. */
export function understandMessage(frame: Frame, bytes: Uint8Array, outer: proto.IMessageContextInfo = {}): Meaning[] {
  const decoded = decodeMessage(bytes);
  if (decoded === null) return [unknown('not a message')];
  const { message, unread } = decoded;
  const found = unwrap(message, outer).flatMap((unwrapped) => understandMember({ frame, bytes, ...unwrapped }));
  const meanings = found.length > 0 ? distinct(found) : [contentless(message, unread)];
  return meanings.map((meaning) => ({ ...meaning, unread: [...unread, ...(meaning.unread ?? [])] }));
}

/** A member of a message, wherever that came from: the network, an edit, a history blob. */
export function understandMember(said: Said): Meaning[] {
  const { member, message, frame } = said;
  const read = EVENTS[member];
  if (read !== undefined) return read(said);
  const spoken = spokenOf(member, message, frame);
  return [spoken === null ? unknown(member) : spokenMeaning(said, spoken)];
}

function spokenMeaning(said: Said, spoken: Spoken): Meaning {
  const { frame, wrappers } = said;
  const { content, media } = contentOf(said, spoken);
  const isStory = frame.chat?.type === 'story';
  const body: ViewBody = isStory
    ? { kind: 'story', content, allowsReplies: !wrappers.has('statusMentionMessage') }
    : { kind: 'message', content };
  return { body, media, ...memoryOf(said, content.poll?.options ?? []) };
}

/** Nothing is said: keys for the group, or members of a newer version. */
function contentless(message: proto.IMessage, unread: readonly string[]): Meaning {
  if (unread.length > 0) return unknown('newer than this version');
  const { senderKeyDistributionMessage: key, fastRatchetKeySenderKeyDistributionMessage: fast } = message;
  if ((key ?? fast ?? null) !== null) {
    return { body: { kind: 'sync', what: 'sender-key' }, revision: 'sender-key', isBeside: true };
  }
  return { body: { kind: 'empty' } };
}

/** Two meanings of one kind and revision would be one capture: the later ones are told apart by their place. */
function distinct(meanings: readonly Meaning[]): Meaning[] {
  const seen = new Set<string>();
  return meanings.map((meaning, place) => {
    const key = `${meaning.body.kind}/${meaning.revision ?? ''}`;
    if (!seen.has(key)) {
      seen.add(key);
      return meaning;
    }
    return { ...meaning, revision: `${meaning.revision ?? ''}#${place}` };
  });
}
