// SPDX-License-Identifier: AGPL-3.0-or-later
import { createDecipheriv, createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../../base/failure.ts';
import { blobKeys, type BlobType } from './keys.ts';

/** What must hold of a blob. Hashes that the message does not tell are not checked. */
export interface BlobSeal {
  readonly type: BlobType;
  readonly mediaKey: Uint8Array;
  readonly fileSha256: Uint8Array | null;
  readonly fileEncSha256: Uint8Array | null;
}

export interface DecryptOptions {
  readonly mostBytes: number;
  /** Called instead of throwing when only a hash differs: MAC and padding hold, so it is a file that the key's owner made. */
  readonly onOtherHash?: () => void;
}

const MAC_BYTES = 10;
const BLOCK_BYTES = 16;

/**
 * Decrypts a blob while it comes, in constant memory, and checks MAC and both hashes. What it yields counts only once it has ended
 * without throwing: `whatsapp/media-damaged`, `whatsapp/media-oversized`.
 */
export async function* decrypted(
  encrypted: AsyncIterable<Uint8Array>,
  seal: BlobSeal,
  { mostBytes, onOtherHash }: DecryptOptions,
): AsyncGenerator<Uint8Array> {
  const { iv, cipherKey, macKey } = blobKeys(seal.mediaKey, seal.type);
  const decipher = createDecipheriv('aes-256-cbc', cipherKey, iv);
  const mac = createHmac('sha256', macKey).update(iv);
  const encryptedHash = createHash('sha256');
  const plainHash = createHash('sha256');
  const mostEncrypted = mostBytes + BLOCK_BYTES + MAC_BYTES;
  let total = 0;
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of encrypted) {
    total += chunk.length;
    if (total > mostEncrypted) throw oversized(mostBytes);
    encryptedHash.update(chunk);
    for (const part of withoutEnd(tail, chunk)) {
      mac.update(part);
      const plain = decipher.update(part);
      plainHash.update(plain);
      if (plain.length > 0) yield plain;
    }
    tail = endOf(tail, chunk);
  }
  const isAuthentic = tail.length === MAC_BYTES && timingSafeEqual(mac.digest().subarray(0, MAC_BYTES), tail);
  if (!isAuthentic) throw damaged('the MAC of its key');
  const last = lastBlock(decipher);
  plainHash.update(last);
  if (!isHash(seal.fileEncSha256, encryptedHash.digest()) || !isHash(seal.fileSha256, plainHash.digest())) {
    if (onOtherHash === undefined) throw damaged('the hashes that the message tells');
    onOtherHash();
  }
  if (last.length > 0) yield last;
}

/** Both without the last ten bytes of them; nothing is copied. */
function withoutEnd(tail: Buffer, chunk: Uint8Array): Uint8Array[] {
  const surplus = tail.length + chunk.length - MAC_BYTES;
  const ofTail = tail.subarray(0, Math.max(0, Math.min(tail.length, surplus)));
  const ofChunk = chunk.subarray(0, Math.max(0, chunk.length - MAC_BYTES));
  return [ofTail, ofChunk].filter(({ length }) => length > 0);
}

function endOf(tail: Buffer, chunk: Uint8Array): Buffer {
  if (chunk.length >= MAC_BYTES) return Buffer.from(chunk.subarray(chunk.length - MAC_BYTES));
  return Buffer.concat([tail, chunk]).subarray(-MAC_BYTES);
}

function lastBlock(decipher: { final(): Buffer }): Buffer {
  try {
    return decipher.final();
  } catch {
    throw damaged('padding at its end');
  }
}

function isHash(expected: Uint8Array | null, got: Buffer): boolean {
  return expected === null || expected.length === 0 || got.equals(expected);
}

function damaged(expected: string): Failure {
  return new Failure('whatsapp/media-damaged', { expected: `a file with ${expected}`, got: 'another' });
}

export function oversized(mostBytes: number): Failure {
  return new Failure('whatsapp/media-oversized', {
    expected: `at most ${mostBytes} bytes`,
    got: 'more',
    fix: 'raise whatsapp.media.most if the archive is to hold such files',
  });
}
