// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { ViewBody } from '../../../record/message.ts';
import { contentOf, spokenOf } from './content.ts';
import { editMeaning } from './edit.ts';
import { refKey, unknown, type Meaning } from './frame.ts';
import { integer, msOf } from './plain.ts';
import { decodeMessage, targetOf, type Said, type Target } from './said.ts';
import { open, type Recalled, type SealedUse } from './secrets.ts';
import { unwrap } from './unwrap.ts';
import { nameOf, wordOf } from './words.ts';

/** Polls have twelve. */
const MOST_OPTIONS = 1000;

interface SealedFields {
  readonly encPayload?: Uint8Array | null;
  readonly encIv?: Uint8Array | null;
}

interface Contents {
  readonly target: Target;
  readonly bytes: Uint8Array;
  readonly recalled: Recalled;
}

type Reader = (said: Said, contents: Contents) => Meaning;

/** Members whose content is encrypted a second time, under the secret of the message they are about. */
export const SEALED: Readonly<Record<string, (said: Said) => Meaning[]>> = {
  pollUpdateMessage: (said) => {
    const one = said.message.pollUpdateMessage ?? {};
    return opened(said, one.pollCreationMessageKey, one.vote ?? {}, 'Poll Vote', (_said, contents) =>
      voteMeaning(contents, msOf(one.senderTimestampMs)),
    );
  },
  encReactionMessage: (said) => {
    const one = said.message.encReactionMessage ?? {};
    return opened(said, one.targetMessageKey, one, 'Enc Reaction', reactionMeaning);
  },
  encCommentMessage: (said) => {
    const one = said.message.encCommentMessage ?? {};
    return opened(said, one.targetMessageKey, one, 'Enc Comment', commentMeaning);
  },
  encEventResponseMessage: (said) => {
    const one = said.message.encEventResponseMessage ?? {};
    return opened(said, one.eventCreationMessageKey, one, 'Event Response', responseMeaning);
  },
  secretEncryptedMessage: (said) => {
    const one = said.message.secretEncryptedMessage ?? {};
    const use = EDITS[one.secretEncType ?? 0];
    if (use === undefined) {
      const name = nameOf(proto.Message.SecretEncryptedMessage.SecretEncType, one.secretEncType);
      return [unknown(`sealed ${wordOf(name)}`)];
    }
    return opened(said, one.targetMessageKey, one, use, openedEdit);
  },
};

const EDITS: Readonly<Record<number, SealedUse>> = {
  [proto.Message.SecretEncryptedMessage.SecretEncType.EVENT_EDIT]: 'Event Edit',
  [proto.Message.SecretEncryptedMessage.SecretEncType.MESSAGE_EDIT]: 'Message Edit',
};

/** What the secret opens, read by `read`; else unknown, and why. The sealed bytes are archived either way, and can be opened later. */
function opened(
  said: Said,
  key: proto.IMessageKey | null | undefined,
  fields: SealedFields,
  use: SealedUse,
  read: Reader,
): Meaning[] {
  const { frame } = said;
  const what = `sealed ${wordOf(use)}`;
  const target = targetOf(frame, key);
  if (target === null) return [unknown(`malformed ${what}`)];
  const { author, id } = target;
  const sealed = { payload: fields.encPayload ?? new Uint8Array(), iv: fields.encIv ?? new Uint8Array() };
  const result = open(frame.context, { room: frame.room, author, id, by: frame.sender }, use, sealed);
  if (result.bytes === null) return [unknown(`${what}: ${result.why}`)];
  const { bytes, recalled } = result;
  try {
    const ref = { ...target.ref, sentAtMs: recalled.sentAtMs ?? target.ref.sentAtMs };
    return [{ ...read(said, { target: { ...target, ref }, bytes, recalled }), opened: bytes }];
  } catch {
    return [{ ...unknown(`malformed ${what}`), opened: bytes }];
  }
}

/** Options are named by hash: positions are told where the poll is remembered, the hashes where it is not. */
function voteMeaning({ target, bytes, recalled }: Contents, sentAtMs: number | null): Meaning {
  const hashes = proto.Message.PollVoteMessage.decode(bytes)
    .selectedOptions.slice(0, MOST_OPTIONS)
    .map((hash) => Buffer.from(hash).toString('hex'));
  const body = voteBody(target, hashes, recalled.options);
  return { body, revision: `${refKey(target.ref)}/${hashes.join(' ')}/${sentAtMs ?? ''}`, sentAtMs };
}

export function voteBody({ ref }: Target, hashes: readonly string[], known: readonly string[]): ViewBody {
  const positions = hashes.map((hash) => known.indexOf(hash));
  const strangers = hashes.filter((_, n) => positions[n] === -1);
  return {
    kind: 'poll-vote',
    target: ref,
    options: positions.filter((position) => position >= 0),
    count: null,
    ...(strangers.length === 0 ? {} : { otherOptions: strangers }),
  };
}

function reactionMeaning(_said: Said, { target: { ref }, bytes }: Contents): Meaning {
  const { text, senderTimestampMs } = proto.Message.ReactionMessage.decode(bytes);
  const emoji = text ?? '';
  const body = { kind: 'reaction', target: ref, emoji, removed: emoji === '' } as const;
  return { body, revision: `${refKey(ref)}/${emoji}`, sentAtMs: msOf(senderTimestampMs) };
}

function commentMeaning({ frame }: Said, { target, bytes }: Contents): Meaning {
  const decoded = decodeMessage(bytes);
  for (const unwrapped of unwrap(decoded?.message ?? {})) {
    const spoken = spokenOf(unwrapped.member, unwrapped.message, frame);
    if (spoken === null) continue;
    const { content, media } = contentOf({ frame, ...unwrapped }, spoken);
    const partOf = { ...target.ref, how: 'comment' };
    return { body: { kind: 'message', content: { ...content, partOf } }, media, unread: decoded?.unread ?? [] };
  }
  return unknown('sealed comment of an unknown kind');
}

function responseMeaning(_said: Said, { target: { ref }, bytes }: Contents): Meaning {
  const { response, extraGuestCount, timestampMs } = proto.Message.EventResponseMessage.decode(bytes);
  const word = wordOf(nameOf(proto.Message.EventResponseMessage.EventResponseType, response));
  const body = { kind: 'event-response', target: ref, response: word, guests: integer(extraGuestCount) } as const;
  return { body, revision: `${refKey(ref)}/${word}`, sentAtMs: msOf(timestampMs) };
}

/** The new message stands there as it is, or in the form that edits had before they were sealed. */
function openedEdit({ frame }: Said, { target, bytes }: Contents): Meaning {
  const decoded = decodeMessage(bytes);
  if (decoded === null) return unknown('malformed sealed edit');
  const old = unwrap(decoded.message).find(({ member }) => member === 'protocolMessage')?.message.protocolMessage;
  const edited = old?.editedMessage ?? decoded.message;
  return { ...editMeaning(frame, target, edited, msOf(old?.timestampMs)), unread: decoded.unread };
}
