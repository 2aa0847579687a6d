// SPDX-License-Identifier: AGPL-3.0-or-later
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';

// Objects are sealed in chunks, so that any length takes bounded memory: AES-256-GCM under a key of its own, nonce = chunk
// number (11 bytes, big-endian) || 0x01 for the last chunk, else 0x00. Truncation, reordering and appending do not open.

export const OBJECT_KEY_BYTES = 32;
export const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
const NONCE_BYTES = 12;
const COUNTER_OFFSET = 5;

export function newObjectKey(): Buffer {
  return randomBytes(OBJECT_KEY_BYTES);
}

function chunkNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntBE(index, COUNTER_OFFSET, 6);
  nonce[NONCE_BYTES - 1] = last ? 1 : 0;
  return nonce;
}

function sealChunk(key: KeyObject, index: number, last: boolean, chunk: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, chunkNonce(index, last));
  return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
}

function openChunk(key: KeyObject, index: number, last: boolean, chunk: Buffer): Buffer {
  const split = chunk.length - TAG_BYTES;
  if (split < 0) throw new ObjectError('truncated');
  const decipher = createDecipheriv('aes-256-gcm', key, chunkNonce(index, last));
  decipher.setAuthTag(chunk.subarray(split));
  try {
    return Buffer.concat([decipher.update(chunk.subarray(0, split)), decipher.final()]);
  } catch {
    throw new ObjectError('does-not-open');
  }
}

/** Seals a stream. Holds one chunk at a time. */
export async function* sealObject(key: Uint8Array, source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const keyObject = createSecretKey(key);
  let index = 0;
  // A chunk is written when the next one is known to exist: only then is it not the last.
  let held: Buffer | null = null;
  for await (const chunk of inChunks(source, CHUNK_BYTES)) {
    if (held !== null) yield sealChunk(keyObject, index++, false, held);
    held = chunk;
  }
  yield sealChunk(keyObject, index, true, held ?? Buffer.alloc(0));
}

/**
 * Opens a stream that begins with chunk `first`. Throws `ObjectError` on the first chunk that is not the sealed one in this place. Output
 * before the end is not yet proven whole; each chunk of it is proven to be this object's.
 */
export async function* openObject(
  key: Uint8Array,
  source: AsyncIterable<Uint8Array>,
  first = 0,
): AsyncGenerator<Buffer> {
  const keyObject = createSecretKey(key);
  let index = first;
  let held: Buffer | null = null;
  for await (const chunk of inChunks(source, SEALED_CHUNK_BYTES)) {
    if (held !== null) yield openChunk(keyObject, index++, false, held);
    held = chunk;
  }
  if (held === null) throw new ObjectError('truncated');
  yield openChunk(keyObject, index, true, held);
}

export class ObjectError extends Error {
  override readonly name = 'ObjectError';
  readonly code: 'truncated' | 'does-not-open';

  constructor(code: ObjectError['code']) {
    super(`object: ${code}`);
    this.code = code;
  }
}

/** Cuts a stream into chunks of exactly `size` bytes; the last may be shorter, and is missing when nothing came. */
async function* inChunks(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const piece of source) {
    let rest = piece;
    while (held + rest.length >= size) {
      const take = size - held;
      yield Buffer.concat([...parts, rest.subarray(0, take)]);
      parts = [];
      held = 0;
      rest = rest.subarray(take);
    }
    if (rest.length > 0) {
      // Copied: a source may reuse its buffer.
      parts.push(Buffer.from(rest));
      held += rest.length;
    }
  }
  if (held > 0) yield Buffer.concat(parts);
}
