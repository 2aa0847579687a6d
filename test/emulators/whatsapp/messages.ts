// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys';

/** The text of a message, for test reports; null if it has none or does not decode. */
export function textIn(plaintext: Uint8Array): string | null {
  if (plaintext.length > 65_536) return null;
  try {
    const message = proto.Message.decode(plaintext);
    const inner = message.deviceSentMessage?.message ?? message;
    return inner.conversation ?? inner.extendedTextMessage?.text ?? null;
  } catch {
    return null;
  }
}

export interface MediaInMessage {
  readonly mediaKey: Uint8Array;
  readonly directPath: string;
}

/** The first part of a message that lies on the media host. */
export function mediaIn(plaintext: Uint8Array): MediaInMessage | null {
  return search(proto.Message.decode(plaintext), 0);
}

function search(value: unknown, depth: number): MediaInMessage | null {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || depth > 8) return null;
  const { mediaKey, directPath } = value as { mediaKey?: unknown; directPath?: unknown };
  if (mediaKey instanceof Uint8Array && typeof directPath === 'string') return { mediaKey, directPath };
  for (const inner of Object.values(value)) {
    const found = search(inner, depth + 1);
    if (found !== null) return found;
  }
  return null;
}
