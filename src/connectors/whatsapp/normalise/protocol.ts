// SPDX-License-Identifier: AGPL-3.0-or-later
import { gunzipSync } from 'node:zlib';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { bareJid, isOther, isOwn, isSame, keyOf, partyOf } from './address.ts';
import { editMeaning } from './edit.ts';
import { refKey, unknown, type Meaning } from './frame.ts';
import type { AddressPair, HistorySource } from './input.ts';
import { integer, msOf, msOfSeconds, text } from './plain.ts';
import { about, targetOf, type Said } from './said.ts';
import { subMessage } from './wire.ts';
import { nameOf, wordOf } from './words.ts';

const { Type } = proto.Message.ProtocolMessage;
const MOST_MAPPING_BYTES = 32 * 1024 * 1024;

/** Where the history notification lies in a message, straight or as sent by an own device. */
const HISTORY_PATHS = [
  [12, 6],
  [31, 2, 12, 6],
] as const;

const OWN_ONLY: ReadonlySet<number | null | undefined> = new Set([
  Type.HISTORY_SYNC_NOTIFICATION,
  Type.APP_STATE_SYNC_KEY_SHARE,
  Type.LID_MIGRATION_MAPPING_SYNC,
  Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
]);

/** What clients tell each other beside what people say: revocations, edits, timers, keys, history. */
export function understandProtocol(said: Said): Meaning[] {
  const one = said.message.protocolMessage ?? {};
  const { context, sender } = said.frame;
  // History, addresses and messages given again are believed of the owner's own devices alone.
  if (OWN_ONLY.has(one.type) && !isOwn(context.own, sender)) {
    return [unknown(`${wordOf(nameOf(Type, one.type))} of another account`)];
  }
  switch (one.type) {
    case Type.REVOKE:
      return revoked(said, one);
    case Type.MESSAGE_EDIT:
      return edited(said, one);
    case Type.EPHEMERAL_SETTING:
      return [timer(one)];
    case Type.HISTORY_SYNC_NOTIFICATION:
      return [history(said, one)];
    case Type.LID_MIGRATION_MAPPING_SYNC:
      return [{ ...sync(one), pairs: mappings(one.lidMigrationMappingSyncMessage?.encodedMappingPayload) }];
    case Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE:
      return [{ ...sync(one), resent: resentIn(one) }];
    case Type.GROUP_MEMBER_LABEL_CHANGE:
      return [memberLabel(said, one)];
    default:
      return [hasName(one.type) ? sync(one) : unknown(`protocolMessage ${one.type ?? 'without type'}`)];
  }
}

function hasName(type: number | null | undefined): boolean {
  return type !== null && type !== undefined && nameOf(Type, type) !== String(type);
}

function sync({ type }: proto.Message.IProtocolMessage): Meaning {
  const what = wordOf(nameOf(Type, type));
  return { body: { kind: 'sync', what }, revision: what };
}

/** A group's admin may revoke what others wrote: then the key names another author than the sender. */
function revoked({ frame }: Said, { key }: proto.Message.IProtocolMessage): Meaning[] {
  return about('revocation', targetOf(frame, key), ({ ref, author }) => {
    const isAnothers =
      keyOf(author) !== '' && !isSame(author, frame.sender) && isOther(frame.context, author, frame.sender);
    // There are no admins elsewhere: clients show nothing of it.
    if (isAnothers && frame.chat?.type !== 'group') return unknown('revocation of what another wrote');
    const by = isAnothers ? 'admin' : 'sender';
    return { body: { kind: 'delete', target: ref, by }, revision: `${by}/${refKey(ref)}` };
  });
}

function edited({ frame }: Said, one: proto.Message.IProtocolMessage): Meaning[] {
  return about('edit', targetOf(frame, one.key), (target) =>
    editMeaning(frame, target, one.editedMessage ?? {}, msOf(one.timestampMs)),
  );
}

function timer(one: proto.Message.IProtocolMessage): Meaning {
  const expiresInSeconds = integer(one.ephemeralExpiration) ?? 0;
  const sentAtMs = msOfSeconds(one.ephemeralSettingTimestamp);
  return { body: { kind: 'timer', expiresInSeconds }, revision: String(expiresInSeconds), sentAtMs };
}

function history(said: Said, one: proto.Message.IProtocolMessage): Meaning {
  const notification = one.historySyncNotification ?? {};
  const exact = HISTORY_PATHS.map((path) => subMessage(said.bytes, path)).find((bytes) => bytes !== null);
  const source: HistorySource = {
    notification: exact ?? proto.Message.HistorySyncNotification.encode(notification).finish(),
    syncType: notification.syncType ?? 0,
    chunk: integer(notification.chunkOrder),
  };
  const what = `history-${wordOf(nameOf(proto.Message.HistorySyncType, notification.syncType))}`;
  return { body: { kind: 'sync', what }, revision: what, history: source };
}

/** Answers to requests for messages that came without content. */
function resentIn(one: proto.Message.IProtocolMessage): Uint8Array[] {
  const results = one.peerDataOperationRequestResponseMessage?.peerDataOperationResult ?? [];
  return results.flatMap(({ placeholderMessageResendResponse: given }) => given?.webMessageInfoBytes ?? []);
}

function memberLabel({ frame }: Said, { memberLabel: one }: proto.Message.IProtocolMessage): Meaning {
  const change = { what: 'member-label', parties: [partyOf(frame.context, frame.sender)], value: text(one?.label) };
  return { body: { kind: 'group-update', changes: [change] }, revision: 'member-label' };
}

/** Numbers here are users without server. */
function mappings(payload: Uint8Array | null | undefined): AddressPair[] {
  if (payload === null || payload === undefined || payload.length === 0) return [];
  try {
    const inflated = gunzipSync(payload, { maxOutputLength: MOST_MAPPING_BYTES });
    const { pnToLidMappings } = proto.LIDMigrationMappingSyncPayload.decode(inflated);
    return pnToLidMappings.flatMap(({ pn, assignedLid, latestLid }) => {
      const lid = bareJid(`${String(latestLid ?? assignedLid)}@lid`);
      return lid === null ? [] : [{ lid, pn: `${String(pn)}@s.whatsapp.net` }];
    });
  } catch {
    return [];
  }
}
