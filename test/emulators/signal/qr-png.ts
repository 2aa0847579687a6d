// SPDX-License-Identifier: AGPL-3.0-or-later

import { crc32, deflateSync } from 'node:zlib';
import { encodeQR } from 'qr';

const quietModules = 4;

/**
 * A black and white PNG, `sizePx` square, of a QR code of the given version at the highest error correction. Returns
 * `null` when the text does not fit that version.
 */
export function qrPng(text: string, version: number, sizePx: number): Buffer | null {
  const modules = modulesOf(text, version);
  if (modules === null) return null;
  const side = modules.length;
  const rowBytes = 1 + Math.ceil(sizePx / 8);
  const rows = Buffer.alloc(rowBytes * sizePx);
  for (let y = 0; y < sizePx; y += 1) {
    for (let x = 0; x < sizePx; x += 1) {
      const row = modules[Math.floor((y * side) / sizePx)];
      const isDark = row?.[Math.floor((x * side) / sizePx)] ?? false;
      // One bit a pixel, 1 is white; the first byte of a row names its filter, none.
      const at = y * rowBytes + 1 + (x >> 3);
      if (!isDark) rows.writeUInt8(rows.readUInt8(at) | (0x80 >> (x & 7)), at);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(sizePx, 0);
  header.writeUInt32BE(sizePx, 4);
  header.writeUInt8(1, 8);
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function modulesOf(text: string, version: number): boolean[][] | null {
  try {
    return encodeQR(text, 'raw', { ecc: 'high', version, border: quietModules });
  } catch (error) {
    if (error instanceof Error && error.message === 'Capacity overflow') return null;
    throw error;
  }
}

function chunk(type: string, content: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const framed = Buffer.alloc(typed.length + 8);
  framed.writeUInt32BE(content.length, 0);
  typed.copy(framed, 4);
  framed.writeUInt32BE(crc32(typed), typed.length + 4);
  return framed;
}
