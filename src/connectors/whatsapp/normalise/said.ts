// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { MessageRef } from '../../../record/message.ts';
import { isNobody, isOwn, NOBODY, ownPerson, partyOf, personOf, type Person } from './address.ts';
import { unknown, type Frame, type Meaning } from './frame.ts';
import { recall } from './secrets.ts';
import { unreadPaths } from './wire.ts';

/** One member of a decrypted message, without the wrappers it came in. */
export interface Said {
  readonly frame: Frame;
  readonly member: string;
  readonly message: proto.IMessage;
  /** Circumstances from all levels of wrapping. */
  readonly info: proto.IMessageContextInfo;
  readonly wrappers: ReadonlySet<string>;
  /** The whole message as it was decrypted, for what is wanted in its own bytes. */
  readonly bytes: Uint8Array;
}

/** A message named by another: who wrote it, as far as the naming one tells. */
export interface Target {
  readonly ref: MessageRef;
  readonly author: Person;
  readonly id: string;
}

export interface Decoded {
  readonly message: proto.IMessage;
  readonly unread: readonly string[];
}

/** Null if the bytes are no message, or nest deeper than can be read. */
export function decodeMessage(bytes: Uint8Array): Decoded | null {
  try {
    const message = proto.Message.decode(bytes);
    return { message, unread: unreadPaths(bytes, proto.Message.encode(message).finish()) };
  } catch {
    return null;
  }
}

/**
 * A key is written from its sender's point of view: `fromMe` is the sender, and in a direct conversation what is not from the sender is
 * from the one written to.
 */
export function targetOf(frame: Frame, key: proto.IMessageKey | null | undefined): Target | null {
  const id = key?.id ?? '';
  if (key === null || key === undefined || id === '') return null;
  return targetBy(frame, authorOf(frame, key), id);
}

export function targetBy(frame: Frame, author: Person, id: string): Target {
  const { context, room } = frame;
  const sentAtMs = recall(context, room, author, id)[0]?.sentAtMs ?? null;
  return { ref: { author: partyOf(context, withoutDevice(author)), sentAtMs, id }, author, id };
}

function authorOf(frame: Frame, key: proto.IMessageKey): Person {
  const { context, sender, partner, room } = frame;
  const named = personOf(context.own, key.participant);
  if (!isNobody(named)) return named;
  if (key.fromMe === true) return sender;
  if (room !== '') return NOBODY;
  if (isOwn(context.own, sender)) return partner;
  return ownPerson(context.own);
}

function withoutDevice(person: Person): Person {
  return { ...person, device: null };
}

/** An event about an earlier message; one that names none claims nothing. */
export function about(member: string, target: Target | null, meaning: (target: Target) => Meaning): Meaning[] {
  return [target === null ? unknown(`malformed ${member}`) : meaning(target)];
}
