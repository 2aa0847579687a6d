// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { reactionMeaning, responseMeaning, voteMeaning } from './answers.ts';
import { contentOf, spokenOf } from './content.ts';
import { editMeaning } from './edit.ts';
import { unknown, type Meaning } from './frame.ts';
import { msOf } from './plain.ts';
import { decodeMessage, targetOf, type Said, type Target } from './said.ts';
import { open, type Recalled, type SealedUse } from './secrets.ts';
import { unwrap } from './unwrap.ts';
import { nameOf, wordOf } from './words.ts';

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
    return opened(said, one.pollCreationMessageKey, one.vote ?? {}, 'Poll Vote', (_said, { target, bytes, recalled }) =>
      voteMeaning(target, proto.Message.PollVoteMessage.decode(bytes), recalled.options, msOf(one.senderTimestampMs)),
    );
  },
  encReactionMessage: (said) => {
    const one = said.message.encReactionMessage ?? {};
    return opened(said, one.targetMessageKey, one, 'Enc Reaction', (_said, { target, bytes }) =>
      reactionMeaning(target.ref, proto.Message.ReactionMessage.decode(bytes)),
    );
  },
  encCommentMessage: (said) => {
    const one = said.message.encCommentMessage ?? {};
    return opened(said, one.targetMessageKey, one, 'Enc Comment', commentMeaning);
  },
  encEventResponseMessage: (said) => {
    const one = said.message.encEventResponseMessage ?? {};
    return opened(said, one.eventCreationMessageKey, one, 'Event Response', (_said, { target, bytes }) => {
      const response = proto.Message.EventResponseMessage.decode(bytes);
      return responseMeaning(target.ref, response, msOf(response.timestampMs));
    });
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

/** The new message stands there as it is, or in the form that edits had before they were sealed. */
function openedEdit({ frame }: Said, { target, bytes }: Contents): Meaning {
  const decoded = decodeMessage(bytes);
  if (decoded === null) return unknown('malformed sealed edit');
  const old = unwrap(decoded.message).find(({ member }) => member === 'protocolMessage')?.message.protocolMessage;
  const edited = old?.editedMessage ?? decoded.message;
  return { ...editMeaning(frame, target, edited, msOf(old?.timestampMs)), unread: decoded.unread };
}
