// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import type { Json } from '../../../record/canonical.ts';
import type { NativeId } from '../../../record/message.ts';
import type { BlobSeal } from '../media/decrypt.ts';
import type { HistorySource } from '../normalise/input.ts';
import { decodeState, encodeState } from '../../state.ts';

/**
 * One part of the history that the phone announced. Persisted with the announcement, gone once everything in it is archived.
 *
 * `pending`: to be fetched and read; `lost`: given up, remembered so that a copy of the announcement does not start it again.
 */
export interface HistoryWork {
  readonly name: string;
  readonly phase: 'pending' | 'lost';
  /** Base64 of the {@link HistorySource.notification}. */
  readonly notification: string;
  /** Set where the part is no history but app state. */
  readonly appState: NonNullable<HistorySource['appState']> | null;
  readonly addedMs: number;
  readonly sinceMs: number;
}

/** Where the bytes are: in the announcement itself, or on the media host. */
export type HistoryPlace =
  | { readonly inline: Uint8Array }
  | { readonly inline: null; readonly path: string; readonly seal: BlobSeal };

/** The blob by its content, not by its announcement: a phone that announces it twice sends one history. */
export function historyWork({ notification, appState }: HistorySource, nowMs: number): HistoryWork {
  const place = placeOf(notification, appState !== undefined);
  const identity = place?.inline === null ? (place.seal.fileEncSha256 ?? notification) : notification;
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 32);
  return {
    name: `history/${hash}`,
    phase: 'pending',
    notification: Buffer.from(notification).toString('base64'),
    appState: appState ?? null,
    addedMs: nowMs,
    sinceMs: nowMs,
  };
}

export function notificationOf({ notification }: HistoryWork): Uint8Array {
  return Buffer.from(notification, 'base64');
}

/** Null for an announcement that tells no place. */
export function placeOf(notification: Uint8Array, isAppState: boolean): HistoryPlace | null {
  const fields = isAppState ? decodeReference(notification) : decode(notification);
  const { initialHistBootstrapInlinePayload: inline, directPath, mediaKey, fileSha256, fileEncSha256 } = fields;
  if (inline && inline.length > 0) return { inline };
  if (!directPath || !mediaKey || mediaKey.length === 0) return null;
  const seal = {
    type: isAppState ? 'app-state' : 'history',
    mediaKey,
    fileSha256: fileSha256 ?? null,
    fileEncSha256: fileEncSha256 ?? null,
  } as const;
  return { inline: null, path: directPath, seal };
}

/** What the phone announced and the archive has not got. */
export function historyNative({ name }: HistoryWork): NativeId {
  return { chat: '', sender: '', id: name, kind: 'history', revision: '' };
}

export function encodeHistoryWork(work: HistoryWork): Uint8Array {
  return encodeState(work as unknown as Json);
}

export function decodeHistoryWork(bytes: Uint8Array | null): HistoryWork | null {
  return decodeState<HistoryWork>(bytes);
}

function decode(notification: Uint8Array): proto.Message.IHistorySyncNotification {
  try {
    return proto.Message.HistorySyncNotification.decode(notification);
  } catch {
    return {};
  }
}

function decodeReference(reference: Uint8Array): proto.Message.IHistorySyncNotification {
  try {
    const { directPath, mediaKey, fileSha256, fileEncSha256 } = proto.ExternalBlobReference.decode(reference);
    return {
      directPath: directPath ?? null,
      mediaKey: mediaKey ?? null,
      fileSha256: fileSha256 ?? null,
      fileEncSha256: fileEncSha256 ?? null,
    };
  } catch {
    return {};
  }
}
