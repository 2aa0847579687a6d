// SPDX-License-Identifier: AGPL-3.0-or-later

const signatures: readonly (readonly [offset: number, hex: string, contentType: string])[] = [
  [0, '89504e470d0a1a0a', 'image/png'],
  [0, 'ffd8ff', 'image/jpeg'],
  [0, '474946383761', 'image/gif'],
  [0, '474946383961', 'image/gif'],
  [8, '57454250', 'image/webp'],
  [0, '255044462d', 'application/pdf'],
  [0, '504b0304', 'application/zip'],
  [0, '4f676753', 'application/ogg'],
  [4, '66747970', 'video/mp4'],
  [0, 'fff1', 'audio/aac'],
  [0, 'fff9', 'audio/aac'],
  [0, '494433', 'audio/mpeg'],
];

/** The content type that the server guesses from the bytes; the one in the envelope may differ. */
export function sniffContentType(content: Buffer): string {
  for (const [offset, hex, contentType] of signatures) {
    const signature = Buffer.from(hex, 'hex');
    if (content.subarray(offset, offset + signature.length).equals(signature)) return contentType;
  }
  const start = content.subarray(0, 3072);
  return start.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d)
    ? 'text/plain; charset=utf-8'
    : 'application/octet-stream';
}
