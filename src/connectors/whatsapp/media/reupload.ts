// SPDX-License-Identifier: AGPL-3.0-or-later
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { bareJid } from '../normalise/address.ts';
import { childOf } from '../normalise/frame.ts';
import type { StanzaNode, Understood } from '../normalise/input.ts';
import { decodeRaw } from '../normalise/raw.ts';
import { isPath } from './host.ts';

/** A message as the phone is told which one it is. */
export interface ReuploadKey {
  readonly jid: string;
  readonly id: string;
  readonly fromMe: boolean;
  readonly participant: string | null;
}

/** What the phone answered about one file. `again`: it could not just now. */
export type ReuploadAnswer =
  | { readonly answer: 'uploaded'; readonly path: string }
  | { readonly answer: 'not-found' }
  | { readonly answer: 'again' };

const { ResultType } = proto.MediaRetryNotification;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** From the bytes of the capture: stanza or history. Null where they do not tell. */
export function reuploadKeyOf({ raw, view }: Understood): ReuploadKey | null {
  const document = decodeRaw(raw);
  const attrs = document?.stanza?.attrs;
  if (attrs !== undefined) {
    const jid = bareJid(attrs['recipient'] ?? attrs['from']);
    const { id, participant = null } = attrs;
    return jid === null || id === undefined ? null : { jid, id, fromMe: view.direction === 'out', participant };
  }
  const message = document?.parts.find(({ is }) => is === 'history-message');
  return message === undefined ? null : fromHistory(message.bytes);
}

function fromHistory(bytes: Uint8Array): ReuploadKey | null {
  try {
    const { key, participant } = proto.HistorySyncMsg.decode(bytes).message ?? {};
    const { remoteJid, id, fromMe } = key ?? {};
    if (!remoteJid || !id) return null;
    return { jid: remoteJid, id, fromMe: fromMe === true, participant: key?.participant ?? participant ?? null };
  } catch {
    return null;
  }
}

/** `<receipt type="server-error">` to the owner's own phone: nobody else sees it. */
export function reuploadRequest(
  { jid, id, fromMe, participant }: ReuploadKey,
  mediaKey: Uint8Array,
  own: string,
  iv: Uint8Array,
): StanzaNode {
  const cipher = createCipheriv('aes-256-gcm', keyFor(mediaKey), iv).setAAD(Buffer.from(id));
  const plaintext = proto.ServerErrorReceipt.encode({ stanzaId: id }).finish();
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  const about = { jid, from_me: String(fromMe), ...(participant === null ? {} : { participant }) };
  return {
    tag: 'receipt',
    attrs: { id, to: own, type: 'server-error' },
    content: [
      {
        tag: 'encrypt',
        attrs: {},
        content: [
          { tag: 'enc_p', attrs: {}, content: ciphertext },
          { tag: 'enc_iv', attrs: {}, content: iv },
        ],
      },
      { tag: 'rmr', attrs: about },
    ],
  };
}

export const REUPLOAD_IV_BYTES = IV_BYTES;

/** The `<notification type="mediaretry">` in a capture; null if it is something else. */
export function reuploadAnswerIn({ raw }: Understood): StanzaNode | null {
  const stanza = decodeRaw(raw)?.stanza ?? null;
  return stanza?.tag === 'notification' && stanza.attrs['type'] === 'mediaretry' ? stanza : null;
}

/** Reads an answer with the key of one file. Null: it is not about this file, or nobody who has the key wrote it. */
export function readAnswer(answer: StanzaNode, { id }: ReuploadKey, mediaKey: Uint8Array): ReuploadAnswer | null {
  if (answer.attrs['id'] !== id) return null;
  const encrypt = childOf(answer, 'encrypt');
  if (encrypt === null) {
    // In clear, so from the server: no reason to give up for good.
    return childOf(answer, 'error') === null ? null : { answer: 'again' };
  }
  const opened = open(bytesOf(encrypt, 'enc_p'), bytesOf(encrypt, 'enc_iv'), { id, mediaKey });
  if (opened === null) return null;
  const { result, directPath } = opened;
  if (result === ResultType.NOT_FOUND) return { answer: 'not-found' };
  if (result !== ResultType.SUCCESS || !directPath || !isPath(directPath)) return { answer: 'again' };
  return { answer: 'uploaded', path: directPath };
}

function open(
  ciphertext: Uint8Array | null,
  iv: Uint8Array | null,
  { id, mediaKey }: { readonly id: string; readonly mediaKey: Uint8Array },
): proto.IMediaRetryNotification | null {
  if (ciphertext === null || iv?.length !== IV_BYTES || ciphertext.length < TAG_BYTES) return null;
  try {
    const end = ciphertext.length - TAG_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', keyFor(mediaKey), iv)
      .setAAD(Buffer.from(id))
      .setAuthTag(ciphertext.subarray(end));
    const plaintext = Buffer.concat([decipher.update(ciphertext.subarray(0, end)), decipher.final()]);
    const notification = proto.MediaRetryNotification.decode(plaintext);
    return notification.stanzaId === id ? notification : null;
  } catch {
    return null;
  }
}

function bytesOf(parent: StanzaNode, tag: string): Uint8Array | null {
  const content = childOf(parent, tag)?.content;
  return content instanceof Uint8Array ? content : null;
}

function keyFor(mediaKey: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', mediaKey, Buffer.alloc(0), 'WhatsApp Media Retry Notification', 32));
}
