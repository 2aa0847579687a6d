// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Chat, MessageRef, NativeId, Party, View, ViewBody } from '../../../record/message.ts';
import { keyOf, NOBODY, pairOf, partyOf, type Person } from './address.ts';
import type {
  AddressPair,
  Context,
  HistorySource,
  MediaSource,
  Memory,
  OwnAddresses,
  StanzaNode,
  Understood,
} from './input.ts';
import { plainView } from './plain.ts';
import { withPart } from './raw.ts';

/** What all captures of one stanza share. */
export interface Frame {
  readonly context: Context;
  readonly chat: Chat | null;
  /** The conversation within native identities. */
  readonly chatKey: string;
  /** The group or list, or empty: what is the same for all who name a message in it. */
  readonly room: string;
  readonly direction: View['direction'];
  readonly sender: Person;
  readonly pushName: string | null;
  /** The other side of a direct conversation. */
  readonly partner: Person;
  /** The stanza's id; for messages, what others name it by. Null where there is none. */
  readonly id: string | null;
  readonly atMs: number | null;
  readonly isMessage: boolean;
  readonly raw: Uint8Array;
  readonly pairs: readonly AddressPair[];
}

/** What one thing says. `revision` tells apart what else would be the same: a target, a member, a list. */
export interface Meaning {
  readonly body: ViewBody;
  readonly revision?: string;
  readonly sentAtMs?: number | null;
  readonly unread?: readonly string[];
  readonly isComplete?: boolean;
  /** Came beside the message and is not it: says nothing of whether the message could be read. */
  readonly isBeside?: boolean;
  readonly media?: readonly MediaSource[];
  readonly memory?: readonly Memory[];
  readonly pairs?: readonly AddressPair[];
  readonly history?: HistorySource;
  /** `WebMessageInfo`s that the phone gives again for messages that could not be read. */
  readonly resent?: readonly Uint8Array[];
  /** Bytes that a message secret opened: kept beside the stanza. */
  readonly opened?: Uint8Array;
}

export function nowhere(context: Context, raw: Uint8Array): Frame {
  return {
    context,
    chat: null,
    chatKey: '',
    room: '',
    direction: 'none',
    sender: NOBODY,
    pushName: null,
    partner: NOBODY,
    id: null,
    atMs: null,
    isMessage: false,
    raw,
    pairs: [],
  };
}

export function understood(frame: Frame, meaning: Meaning): Understood {
  const { context, chat, direction, raw, atMs, id, isMessage } = frame;
  const { body, revision = '', sentAtMs, unread = [] } = meaning;
  const { own } = context;
  const account: Party = partyOf(context, { lid: own.lid, pn: own.pn, other: null, device: null });
  const sender = keyOf(frame.sender) === '' ? null : partyOf(context, frame.sender, frame.pushName);
  const head = {
    v: 1,
    app: 'whatsapp',
    account,
    direction,
    chat,
    sender,
    sentAtMs: sentAtMs ?? atMs,
    serverAtMs: atMs,
    ...(id === null || !isMessage ? {} : { id }),
    ...(unread.length === 0 ? {} : { unread }),
  } as const;
  const native = nativeOf(frame, body.kind, revision);
  return {
    native,
    view: plainView({ ...head, ...body } as View),
    raw: meaning.opened === undefined ? raw : withPart(raw, { is: 'opened', bytes: meaning.opened }),
    ref: isMessage && id !== null && meaning.isBeside !== true ? refNative(frame.room, keyOf(frame.sender), id) : null,
    isComplete: meaning.isComplete ?? true,
    media: (meaning.media ?? []).map((source) => ({ ...source, native: mediaNative(native, source) })),
    memory: meaning.memory ?? [],
    pairs: distinctPairs(own, [...frame.pairs, ...pairOf(frame.sender), ...(meaning.pairs ?? [])]),
    history: meaning.history ?? null,
  };
}

/** The account's own two addresses are known. */
function distinctPairs(own: OwnAddresses, pairs: readonly AddressPair[]): AddressPair[] {
  const others = pairs.filter(({ lid, pn }) => lid !== own.lid || pn !== own.pn);
  return [...new Map(others.map((pair) => [`${pair.lid} ${pair.pn}`, pair])).values()];
}

/** The device is left out: the same message in a history blob does not tell it. Differing bytes are kept beside each other anyway. */
export function nativeOf(frame: Frame, kind: string, revision: string): NativeId {
  const id = frame.id ?? `raw.${createHash('sha256').update(frame.raw).digest('hex')}`;
  return wellFormed({ chat: frame.chatKey, sender: keyOf(frame.sender), id, kind, revision });
}

/** A message by who wrote it and its id, whatever it says. `room` is the group or list; empty for direct conversations. */
export function refNative(room: string, sender: string, id: string): NativeId {
  return wellFormed({ chat: room, sender, id, kind: 'ref', revision: '' });
}

/** Ids are what senders and servers choose; identities are hashed as canonical JSON. */
function wellFormed({ chat, sender, id, kind, revision }: NativeId): NativeId {
  return {
    chat: chat.toWellFormed(),
    sender: sender.toWellFormed(),
    id: id.toWellFormed(),
    kind,
    revision: revision.toWellFormed(),
  };
}

function mediaNative(message: NativeId, { attachment }: MediaSource): NativeId {
  const revision = `${message.kind}/${message.revision}/${attachment.place}/${attachment.id ?? ''}`;
  return wellFormed({ ...message, kind: 'attachment', revision });
}

export function refKey({ author, id, sentAtMs }: MessageRef): string {
  return `${author.id ?? author.number ?? ''}@${id ?? sentAtMs ?? ''}`;
}

export function unknown(reason: string): Meaning {
  return { body: { kind: 'unknown', reason }, revision: reason };
}

export function childrenOf({ content }: StanzaNode): readonly StanzaNode[] {
  return Array.isArray(content) ? (content as readonly StanzaNode[]) : [];
}

export function childOf(node: StanzaNode, tag: string): StanzaNode | null {
  return childrenOf(node).find((child) => child.tag === tag) ?? null;
}

export function textOf({ content }: StanzaNode): string | null {
  if (typeof content === 'string') return content;
  return content instanceof Uint8Array ? Buffer.from(content).toString('utf8') : null;
}

/** Seconds as decimal text to milliseconds; null for anything else. */
export function secondsToMs(text: string | undefined): number | null {
  return text !== undefined && /^[1-9]\d{0,11}$/.test(text) ? Number(text) * 1000 : null;
}
