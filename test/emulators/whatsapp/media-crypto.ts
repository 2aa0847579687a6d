// SPDX-License-Identifier: AGPL-3.0-or-later
import { createCipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { MEDIA_HKDF_KEY_MAPPING } from '@whiskeysockets/baileys';
import type { MediaKind, MediaReference } from './media-api.ts';

const CHUNK = 65_536;

/** A blob that the media host can make again and again, whatever its size, without keeping it. */
export interface Blob {
  readonly kind: MediaKind;
  readonly mediaKey: Buffer;
  readonly plaintextLength: number;
  /** Kept only if it was given. */
  readonly bytes: Uint8Array | null;
}

export function makeBlob(kind: MediaKind, bytes: Uint8Array | null, size: number): Blob {
  return { kind, mediaKey: randomBytes(32), plaintextLength: bytes?.length ?? size, bytes };
}

/** IV, cipher key and MAC key. */
export function mediaKeys(mediaKey: Uint8Array, kind: MediaKind): { iv: Buffer; cipherKey: Buffer; macKey: Buffer } {
  const info = `WhatsApp ${MEDIA_HKDF_KEY_MAPPING[kind]} Keys`;
  const keys = Buffer.from(hkdfSync('sha256', mediaKey, Buffer.alloc(0), info, 112));
  return { iv: keys.subarray(0, 16), cipherKey: keys.subarray(16, 48), macKey: keys.subarray(48, 80) };
}

export function encryptedLength(blob: Blob): number {
  return (Math.floor(blob.plaintextLength / 16) + 1) * 16 + 10;
}

/** Made-up content is a key stream of the blob's own key: the same bytes every time. */
export function* plaintextOf({ bytes, plaintextLength, mediaKey }: Blob): Generator<Uint8Array> {
  if (bytes !== null) {
    for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
    return;
  }
  const stream = createCipheriv('aes-256-ctr', mediaKey, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK);
  for (let left = plaintextLength; left > 0; left -= CHUNK)
    yield stream.update(zeros.subarray(0, Math.min(left, CHUNK)));
}

/** The encrypted blob: AES-256-CBC and ten bytes of HMAC. */
export function* encryptedOf(blob: Blob): Generator<Uint8Array> {
  const { iv, cipherKey, macKey } = mediaKeys(blob.mediaKey, blob.kind);
  const cipher = createCipheriv('aes-256-cbc', cipherKey, iv);
  const mac = createHmac('sha256', macKey).update(iv);
  for (const chunk of plaintextOf(blob)) {
    const encrypted = cipher.update(chunk);
    mac.update(encrypted);
    yield encrypted;
  }
  const last = cipher.final();
  mac.update(last);
  yield last;
  yield mac.digest().subarray(0, 10);
}

/** Reads the whole blob once. */
export function referenceOf(blob: Blob, directPath: string, mediaUrl: string): MediaReference {
  const encrypted = createHash('sha256');
  for (const chunk of encryptedOf(blob)) encrypted.update(chunk);
  const plain = createHash('sha256');
  for (const chunk of plaintextOf(blob)) plain.update(chunk);
  return {
    url: mediaUrl + directPath,
    directPath,
    mediaKey: blob.mediaKey,
    fileSha256: plain.digest(),
    fileEncSha256: encrypted.digest(),
    fileLength: blob.plaintextLength,
  };
}
