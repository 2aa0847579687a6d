// SPDX-License-Identifier: AGPL-3.0-or-later
import { hkdfSync } from 'node:crypto';
import type { MediaType } from '../normalise/input.ts';

/** What a key is expanded for: the files of messages, and the blobs with history and app state. */
export type BlobType = MediaType | 'history' | 'app-state';

const PURPOSES: Readonly<Record<BlobType, string>> = {
  image: 'Image',
  video: 'Video',
  audio: 'Audio',
  document: 'Document',
  'sticker-pack': 'Sticker Pack',
  'thumbnail-image': 'Image Thumbnail',
  'thumbnail-video': 'Video Thumbnail',
  'thumbnail-document': 'Document Thumbnail',
  'thumbnail-link': 'Link Thumbnail',
  'sticker-pack-thumbnail': 'Sticker Pack Thumbnail',
  history: 'History',
  'app-state': 'App State',
};

export interface BlobKeys {
  readonly iv: Buffer;
  readonly cipherKey: Buffer;
  readonly macKey: Buffer;
}

export function blobKeys(mediaKey: Uint8Array, type: BlobType): BlobKeys {
  const bytes = Buffer.from(hkdfSync('sha256', mediaKey, Buffer.alloc(0), `WhatsApp ${PURPOSES[type]} Keys`, 112));
  return { iv: bytes.subarray(0, 16), cipherKey: bytes.subarray(16, 48), macKey: bytes.subarray(48, 80) };
}
