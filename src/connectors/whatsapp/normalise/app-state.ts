// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { bareJid, ownPerson, pairOf, partyOf, personOf } from './address.ts';
import { nowhere, refKey, understood, unknown, type Frame, type Meaning } from './frame.ts';
import type { Context, MutationInput, Understood } from './input.ts';
import { frameOf } from './history-message.ts';
import { msOf, text } from './plain.ts';
import { encodeRaw } from './raw.ts';
import { targetOf } from './said.ts';
import { unreadPaths } from './wire.ts';
import { wordOf } from './words.ts';

/** One mutation of the app state: what the owner did on another device without a message. */
export function normaliseMutation(input: MutationInput, context: Context): readonly [Understood] {
  const { collection, operation, action } = input;
  const facts = { collection, operation };
  const raw = encodeRaw({ origin: 'mutation', facts, stanza: null, parts: [{ is: 'mutation', bytes: action }] });
  const frame: Frame = { ...nowhere(context, raw), sender: ownPerson(context.own), direction: 'out' };
  try {
    const data = proto.SyncActionData.decode(action);
    const index = JSON.parse(Buffer.from(data.index ?? []).toString('utf8')) as unknown;
    const names = Array.isArray(index) ? index.map(String) : [];
    const unread = unreadPaths(action, proto.SyncActionData.encode(data).finish());
    const placed = mutationFrame(frame, names[1]);
    const meaning = mutationMeaning(placed, names, data.value ?? {}, operation);
    const sentAtMs = meaning.sentAtMs ?? msOf(data.value?.timestamp);
    return [understood(placed, { ...meaning, unread, sentAtMs })];
  } catch {
    return [understood(frame, unknown('mutation not understood'))];
  }
}

function mutationFrame(frame: Frame, jid: string | undefined): Frame {
  const bare = bareJid(jid);
  if (bare === null) return frame;
  const { chat, chatKey, room, partner } = frameOf(frame.context, frame.raw, { id: bare }, {});
  return { ...frame, chat, chatKey, room, partner };
}

/** Index: what, chat, and for messages: id, whether the owner's, and the author in a group ("0" for none). */
function mutationMeaning(
  frame: Frame,
  [what = '', jid = '', id = '', fromMe = '', participant = '']: readonly string[],
  value: proto.ISyncActionValue,
  operation: MutationInput['operation'],
): Meaning {
  const key = { remoteJid: jid, id, fromMe: fromMe === '1', participant: participant === '0' ? null : participant };
  const target = targetOf({ ...frame, sender: ownPerson(frame.context.own) }, { ...key });
  switch (what) {
    case 'deleteMessageForMe': {
      if (target === null) return unknown('malformed deleteMessageForMe');
      const author = key.fromMe || key.participant !== null ? target.ref.author : partyOf(frame.context, frame.partner);
      const ref = { ...target.ref, author, sentAtMs: target.ref.sentAtMs ?? msOfMaybeSeconds(value) };
      return { body: { kind: 'delete-for-me', what: 'message', target: ref }, revision: refKey(ref) };
    }
    case 'clearChat':
      return { body: { kind: 'delete-for-me', what: 'cleared' } };
    case 'deleteChat':
      return { body: { kind: 'delete-for-me', what: 'chat' } };
    case 'contact':
    case 'lid_contact':
    case 'pnForLidChat':
      return contactMeaning(frame, jid, value, operation);
    default:
      return { body: { kind: 'sync', what: `${operation === 'remove' ? 'un' : ''}${wordOf(what)}` } };
  }
}

/** Given in seconds or milliseconds, by the version of the phone. */
function msOfMaybeSeconds({ deleteMessageForMeAction }: proto.ISyncActionValue): number | null {
  const value = msOf(deleteMessageForMeAction?.messageTimestamp);
  return value === null ? null : value < 1e11 ? value * 1000 : value;
}

function contactMeaning(
  { context }: Frame,
  jid: string,
  { contactAction, lidContactAction, pnForLidChatAction }: proto.ISyncActionValue,
  operation: MutationInput['operation'],
): Meaning {
  const person = personOf(context.own, jid, contactAction?.lidJid, contactAction?.pnJid, pnForLidChatAction?.pnJid);
  const name = text(contactAction?.fullName) ?? text(lidContactAction?.fullName) ?? text(contactAction?.firstName);
  const state = { party: partyOf(context, person, name), removed: operation === 'remove' };
  return { body: { kind: 'contacts', state }, pairs: pairOf(person) };
}
