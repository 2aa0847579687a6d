// SPDX-License-Identifier: AGPL-3.0-or-later

import type { JsonValue } from './json.ts';
import type { PayloadObject } from './frame.ts';

/** Who a message is from: a contact, or the account itself. */
export interface Sender {
  readonly uuid: string;
  readonly number?: string | null;
  readonly name?: string;
  readonly device?: number;
}

export interface GroupRef {
  readonly internalId: string;
  readonly name: string;
  readonly revision: number;
}

export interface AttachmentRef {
  readonly id: string;
  readonly contentType: string;
  readonly size: number;
  readonly filename?: string | null;
}

export interface Content {
  readonly text?: string | null;
  readonly group?: GroupRef;
  /** `UPDATE`: the group changed. Its content is empty then. */
  readonly groupType?: 'DELIVER' | 'UPDATE';
  readonly attachments?: readonly AttachmentRef[];
  readonly expiresInSeconds?: number;
  /** Further members of the data message: a reaction, a quote, one that no version knows yet. */
  readonly more?: { readonly [member: string]: JsonValue };
}

/** The common head of an envelope. The server's times are made up from the sender's. */
export function envelopeHead(sender: Sender, timestamp: number): { readonly [member: string]: JsonValue } {
  const number = sender.number ?? null;
  return {
    source: number ?? sender.uuid,
    sourceNumber: number,
    sourceUuid: sender.uuid,
    sourceName: sender.name ?? '',
    sourceDevice: sender.device ?? 1,
    timestamp,
    serverReceivedTimestamp: timestamp + 180,
    serverDeliveredTimestamp: timestamp + 400,
  };
}

export function dataMessage(timestamp: number, content: Content): { readonly [member: string]: JsonValue } {
  const { group, attachments } = content;
  return {
    timestamp,
    message: content.text ?? null,
    expiresInSeconds: content.expiresInSeconds ?? 0,
    isExpirationUpdate: false,
    viewOnce: false,
    ...(attachments === undefined ? {} : { attachments: attachments.map(attachment) }),
    ...(group === undefined
      ? {}
      : {
          groupInfo: {
            groupId: group.internalId,
            groupName: group.name,
            revision: group.revision,
            type: content.groupType ?? 'DELIVER',
          },
        }),
    ...content.more,
  };
}

/** A message of somebody to the account, or to a group of it. */
export function incoming(sender: Sender, timestamp: number, content: Content): PayloadObject {
  return { envelope: { ...envelopeHead(sender, timestamp), dataMessage: dataMessage(timestamp, content) } };
}

/** The sender changed an earlier message; `targetTimestamp` is that of the revision before. */
export function edited(sender: Sender, timestamp: number, targetTimestamp: number, content: Content): PayloadObject {
  const editMessage = { targetSentTimestamp: targetTimestamp, dataMessage: dataMessage(timestamp, content) };
  return { envelope: { ...envelopeHead(sender, timestamp), editMessage } };
}

/** A message that the owner sent from the phone. Without a recipient it went to the group of the content. */
export function sentFromPhone(
  owner: Sender,
  timestamp: number,
  recipient: Sender | null,
  content: Content,
): PayloadObject {
  const number = recipient?.number ?? null;
  const sentMessage = {
    destination: number ?? recipient?.uuid ?? null,
    destinationNumber: number,
    destinationUuid: recipient?.uuid ?? null,
    ...dataMessage(timestamp, content),
  };
  return { envelope: { ...envelopeHead(owner, timestamp), syncMessage: { sentMessage } } };
}

/** The owner's phone tells its devices whom it blocks from now on. */
export function blockedSync(owner: Sender, timestamp: number, numbers: readonly string[]): PayloadObject {
  const syncMessage = { blockedNumbers: numbers, blockedGroupIds: [] };
  return { envelope: { ...envelopeHead(owner, timestamp), syncMessage } };
}

function attachment(one: AttachmentRef): JsonValue {
  return {
    contentType: one.contentType,
    filename: one.filename ?? null,
    id: one.id,
    size: one.size,
    width: null,
    height: null,
    caption: null,
    uploadTimestamp: null,
  };
}
