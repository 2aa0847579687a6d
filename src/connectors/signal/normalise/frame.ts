// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import type { Chat, MessageRef, NativeId, Party, View, ViewBody } from '../../../record/message.ts';
import { decimal, integer, text, type Fields } from '../json.ts';

/** One capture's identity and view, and the time in its envelope's head. */
export interface Understood {
  readonly native: NativeId;
  readonly view: View;
  /** `envelope.timestamp`: what the sender's device calls this frame, whatever is in it. */
  readonly headerAtMs: number | null;
}

/** What all captures of one frame share. */
export interface Frame {
  /** The account's number. */
  readonly account: string;
  readonly sender: Party | null;
  /** ACI of the sender; the number only where Signal tells no ACI. */
  readonly senderKey: string;
  /** Names the frame within the sender: time and device, else a hash of the bytes. */
  readonly stamp: string;
  readonly headerAtMs: number | null;
  readonly serverAtMs: number | null;
}

/** Where a message stands: the conversation, its key within native identities, and the direction. */
export interface Place {
  readonly chat: Chat | null;
  readonly chatKey: string;
  readonly direction: View['direction'];
}

export const NOWHERE: Place = { chat: null, chatKey: '', direction: 'none' };

/** What one member of an envelope says. `revision` tells apart what else would be the same: a target, a call, a list. */
export interface Meaning {
  readonly body: ViewBody;
  readonly revision?: string;
  readonly sentAtMs?: number | null;
}

const UUID = /^(?:PNI:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function frameOf(account: string, envelope: Fields, raw: Uint8Array): Frame {
  const device = integer(envelope['sourceDevice']);
  const known = party(envelope, 'sourceUuid', 'sourceNumber', 'source');
  const timestamp = decimal(envelope['timestamp']);
  return {
    account,
    sender: known === null ? null : { ...known, name: text(envelope['sourceName']), device },
    senderKey: keyOf(known),
    stamp: timestamp === null ? rawStamp(raw) : `${timestamp}.${device ?? 0}`,
    headerAtMs: integer(envelope['timestamp']),
    serverAtMs: integer(envelope['serverReceivedTimestamp']),
  };
}

/** Frames without a time of their own are the same only if their bytes are. */
export function rawStamp(raw: Uint8Array): string {
  return `raw.${createHash('sha256').update(raw).digest('hex')}`;
}

/** A party from members named like `xUuid`, `xNumber` and the deprecated `x`, which holds either. Null where all are. */
export function party(from: Fields, uuid: string, number: string, legacy?: string): Party | null {
  const fallback = legacy === undefined ? null : text(from[legacy]);
  const id = text(from[uuid]) ?? (isUuid(fallback) ? fallback : null);
  const known = text(from[number]) ?? (fallback !== null && !isUuid(fallback) ? fallback : null);
  return id === null && known === null ? null : { id, number: known };
}

export function isUuid(value: string | null): boolean {
  return value !== null && UUID.test(value);
}

export function keyOf(one: Party | null): string {
  return one?.id ?? one?.number ?? '';
}

/** What another member names: an author and a time. Null if either is missing, so that nothing false is claimed. */
export function messageRef(author: Party | null, sentAtMs: number | null): MessageRef | null {
  return author === null || sentAtMs === null ? null : { author, sentAtMs };
}

/** The sender as the author of an earlier message of theirs: without the device that sent this one. */
export function senderAsAuthor(frame: Frame): Party | null {
  return frame.sender === null ? null : { id: frame.sender.id, number: frame.sender.number ?? null };
}

export function refKey(ref: MessageRef): string {
  return `${keyOf(ref.author)}@${ref.sentAtMs}`;
}

export function understood(frame: Frame, place: Place, { body, revision, sentAtMs }: Meaning): Understood {
  const head = {
    v: 1,
    app: 'signal',
    account: { id: null, number: frame.account },
    direction: place.direction,
    chat: place.chat,
    sender: frame.sender,
    sentAtMs: sentAtMs ?? frame.headerAtMs,
    serverAtMs: frame.serverAtMs,
  } as const;
  const { chatKey } = place;
  const native = { chat: chatKey, sender: frame.senderKey, id: frame.stamp, kind: body.kind, revision: revision ?? '' };
  return { native, view: { ...head, ...body }, headerAtMs: frame.headerAtMs };
}

/** A member of a known kind that lacks what this kind needs. */
export function malformed(what: string): Meaning {
  return { body: { kind: 'unknown', reason: `malformed ${what}` }, revision: what };
}
