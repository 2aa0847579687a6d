// SPDX-License-Identifier: AGPL-3.0-or-later
import { createCipheriv, randomFillSync } from 'node:crypto';
import { PARTS, SALT_BYTES } from '../record/commitment.ts';
import { MAX_BODY_BYTES } from '../record/entry.ts';
import type { BytesRef, Hex256 } from '../record/entry-types.ts';
import { sha256Hex, type Hash } from '../record/hash.ts';
import { EpochError, type Epoch } from './epoch.ts';
import { compressAndPad, joinParts, type Parts } from './plaintext.ts';
import { withRawKey } from './raw-key.ts';

export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
/** The most plaintext, padding included, that a body may hold. */
export const MAX_PADDED_BYTES = MAX_BODY_BYTES - NONCE_BYTES - TAG_BYTES;
/** The most a body may inflate to: more lies in an object, however well it compresses. */
export const MAX_INFLATED_BYTES = 16 * 1024 * 1024;

/** Salts and plaintext of one record, ready to be sealed; `padded` may still go into an object if it is too long for a body. */
export interface Prepared {
  readonly padded: Buffer;
  readonly commitment: Hash;
}

/** Members of the header that sealing decides. */
export interface SealedFields {
  readonly epoch: Hex256;
  readonly i: number;
  readonly com: Hex256;
}

export interface SealedBody {
  readonly bytes: Buffer;
  readonly ref: BytesRef;
}

const SALTS_BYTES = PARTS.length * SALT_BYTES;

/** Joins, salts, compresses and pads. Plaintext copies made on the way are zeroed. */
export function prepareParts(parts: Parts): Prepared {
  const salts = drawRandom(SALTS_BYTES);
  const { joined, commitment } = joinParts(parts, salts);
  const padded = compressAndPad(joined);
  joined.fill(0);
  salts.fill(0);
  return { padded, commitment };
}

/** What the header says about this record's sealing, before the body exists: it is part of the associated data. */
export function sealedFields(epoch: Epoch, prepared: Prepared): SealedFields {
  return { epoch: epoch.id, i: epoch.ratchet.index, com: prepared.commitment.toString('hex') };
}

/**
 * Seals under the epoch's next record key, which is used once and forgotten. `i` is the index that the header says; throws
 * {@link EpochError} `other-index` if another key is next by now. `associated` is the canonical header without `body`. Zeroes `padded`.
 * Returns `nonce || ciphertext || tag`.
 */
export function sealBody(epoch: Epoch, i: number, padded: Buffer, associated: string): SealedBody {
  if (epoch.ratchet.index !== i) throw new EpochError('other-index');
  const nonce = drawRandom(NONCE_BYTES);
  const key = epoch.ratchet.next();
  const cipher = withRawKey(() => createCipheriv('aes-256-gcm', key, nonce));
  key.fill(0);
  cipher.setAAD(Buffer.from(associated, 'latin1'));
  const ciphertext = cipher.update(padded);
  cipher.final();
  const bytes = Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
  padded.fill(0);
  return { bytes, ref: { h: sha256Hex(bytes), n: bytes.length } };
}

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let poolAt = POOL_BYTES;

/** Random bytes, drawn from the module's generator in larger pieces; each piece is handed out once and zeroed behind. */
function drawRandom(size: number): Buffer {
  if (poolAt + size > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const bytes = Buffer.from(pool.subarray(poolAt, poolAt + size));
  pool.fill(0, poolAt, poolAt + size);
  poolAt += size;
  return bytes;
}
