// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { bareJid, isLid, isPn } from './address.ts';
import { understood, unknown, nowhere, type Frame, type Meaning } from './frame.ts';
import { callMeaning, conversationMeaning, restMeaning } from './history-parts.ts';
import { historyMessage } from './history-message.ts';
import type { AddressPair, Context, HistoryInput, Understood } from './input.ts';
import { integer } from './plain.ts';
import { encodeRaw, type RawDocument, type RawPart } from './raw.ts';
import { asField, wireFields, withoutField, type WireField } from './wire.ts';

/** Field numbers of `HistorySync` and `Conversation` that become records of their own. */
const CONVERSATIONS = 2;
const STATUS_MESSAGES = 3;
const CALLS = 13;
const MESSAGES = 2;

type Facts = RawDocument['facts'];

/**
 * Everything in a history blob, one capture after the other, each with its own part of the blob as it lay in it: names and the like,
 * then calls, then each conversation and its messages. Never throws; a blob that is none is one `unknown`.
 */
export function* normaliseHistory({ notification, blob }: HistoryInput, context: Context): Generator<Understood> {
  const facts = factsOf(notification);
  const top = wireFields(blob);
  if (top === null) {
    yield whole(context, facts, { is: 'history-rest', bytes: blob }, () => unknown('not a history'));
    return;
  }
  const rest = Buffer.concat(top.filter(isRest).map((field) => blob.subarray(field.start, field.end)));
  const knowing = withMappings(context, rest);
  if (rest.length > 0) {
    yield whole(knowing, facts, { is: 'history-rest', bytes: rest }, () => restMeaning(knowing, rest));
  }
  for (const field of top.filter(({ number }) => number === CALLS)) {
    const bytes = blob.subarray(field.start, field.end);
    yield whole(knowing, facts, { is: 'history-rest', bytes }, () => callMeaning(blob.subarray(field.from, field.end)));
  }
  for (const field of top) {
    const bytes = blob.subarray(field.from, field.end);
    if (field.number === CONVERSATIONS) yield* conversation(knowing, facts, bytes);
    if (field.number === STATUS_MESSAGES) {
      // Wrapped as the messages of conversations are, so that both are read, and kept, in one form.
      yield* message(knowing, facts, null, asField(1, bytes));
    }
  }
}

function isRest({ number }: WireField): boolean {
  return number !== CONVERSATIONS && number !== STATUS_MESSAGES && number !== CALLS;
}

function* conversation(context: Context, facts: Facts, bytes: Uint8Array): Generator<Understood> {
  const fields = wireFields(bytes);
  if (fields === null) {
    yield whole(context, facts, { is: 'history-conversation', bytes }, () => unknown('not a conversation'));
    return;
  }
  const about = withoutField(bytes, MESSAGES);
  const head = decodeConversation(about);
  const known = head === null ? context : withPairs(context, pairsOf(head));
  yield whole(known, facts, { is: 'history-conversation', bytes: about }, (frame) => conversationMeaning(frame, head));
  for (const field of fields.filter(({ number }) => number === MESSAGES)) {
    yield* message(known, facts, head, bytes.subarray(field.from, field.end));
  }
}

function* message(
  context: Context,
  facts: Facts,
  head: proto.IConversation | null,
  bytes: Uint8Array,
): Generator<Understood> {
  const raw = rawOf(head === null ? facts : { ...facts, conversation: head.id ?? '' }, {
    is: 'history-message',
    bytes,
  });
  try {
    const { frame, meanings } = historyMessage(context, raw, head, bytes);
    for (const { of = frame, ...meaning } of meanings) yield understood(of, meaning);
  } catch {
    yield understood(nowhere(context, raw), unknown('history message not understood'));
  }
}

function whole(
  context: Context,
  facts: Facts,
  part: RawPart,
  read: (frame: Frame) => Meaning & { of?: Frame },
): Understood {
  const frame = nowhere(context, rawOf(facts, part));
  try {
    const { of = frame, ...meaning } = read(frame);
    return understood(of, meaning);
  } catch {
    return understood(frame, unknown('history part not understood'));
  }
}

function rawOf(facts: Facts, part: RawPart): Uint8Array {
  return encodeRaw({ origin: 'history', facts, stanza: null, parts: [part] });
}

function factsOf(notification: Uint8Array): Facts {
  try {
    const { syncType, chunkOrder } = proto.Message.HistorySyncNotification.decode(notification);
    return { syncType: syncType ?? null, chunk: integer(chunkOrder) };
  } catch {
    return {};
  }
}

function decodeConversation(bytes: Uint8Array): proto.IConversation | null {
  try {
    return proto.Conversation.decode(bytes);
  } catch {
    return null;
  }
}

function withMappings(context: Context, rest: Uint8Array): Context {
  try {
    const { phoneNumberToLidMappings } = proto.HistorySync.decode(rest);
    return withPairs(
      context,
      phoneNumberToLidMappings.flatMap(({ pnJid, lidJid }) => pairOfJids(pnJid, lidJid)),
    );
  } catch {
    return context;
  }
}

function pairsOf({ id, pnJid, lidJid }: proto.IConversation): AddressPair[] {
  return pairOfJids(pnJid ?? id, lidJid ?? id);
}

function pairOfJids(one: string | null | undefined, other: string | null | undefined): AddressPair[] {
  const pn = bareJid(one);
  const lid = bareJid(other);
  return pn !== null && lid !== null && isPn(pn) && isLid(lid) ? [{ pn, lid }] : [];
}

/** What the blob tells itself comes first: it is from the time of its messages. */
function withPairs(context: Context, pairs: readonly AddressPair[]): Context {
  if (pairs.length === 0) return context;
  const known = new Map(pairs.flatMap(({ pn, lid }) => [[pn, lid] as const, [lid, pn] as const]));
  return { ...context, counterpart: (jid) => known.get(jid) ?? context.counterpart(jid) };
}
