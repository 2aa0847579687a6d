// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { MessageRef } from '../../../record/message.ts';
import { refKey, type Meaning } from './frame.ts';
import { integer, msOf } from './plain.ts';
import type { Target } from './said.ts';
import { nameOf, wordOf } from './words.ts';

/*
 * What people do to a message besides writing: react, vote, respond. It comes plain, under a secret, and again in the phone's history; it is one
 * record only if its identity is the same each time.
 */

/** Polls have twelve. */
const MOST_OPTIONS = 1000;

export function reactionMeaning(target: MessageRef, one: proto.Message.IReactionMessage | proto.IReaction): Meaning {
  const emoji = one.text ?? '';
  return {
    body: { kind: 'reaction', target, emoji, removed: emoji === '' },
    revision: `${refKey(target)}/${emoji}`,
    sentAtMs: msOf(one.senderTimestampMs),
  };
}

/** Options are named by hash: positions are told where the poll is remembered (`known`), the hashes where it is not. */
export function voteMeaning(
  { ref }: Target,
  vote: proto.Message.IPollVoteMessage,
  known: readonly string[],
  sentAtMs: number | null,
): Meaning {
  const chosen = (vote.selectedOptions ?? []).slice(0, MOST_OPTIONS);
  const hashes = chosen.map((hash) => Buffer.from(hash).toString('hex'));
  const positions = hashes.map((hash) => known.indexOf(hash));
  const strangers = hashes.filter((_, n) => positions[n] === -1);
  return {
    body: {
      kind: 'poll-vote',
      target: ref,
      options: positions.filter((position) => position >= 0),
      count: null,
      ...(strangers.length === 0 ? {} : { otherOptions: strangers }),
    },
    revision: `${refKey(ref)}/${hashes.join(' ')}/${sentAtMs ?? ''}`,
    sentAtMs,
  };
}

export function responseMeaning(
  target: MessageRef,
  one: proto.Message.IEventResponseMessage,
  sentAtMs: number | null,
): Meaning {
  const response = wordOf(nameOf(proto.Message.EventResponseMessage.EventResponseType, one.response));
  return {
    body: { kind: 'event-response', target, response, guests: integer(one.extraGuestCount) },
    revision: `${refKey(target)}/${response}`,
    sentAtMs,
  };
}
