// SPDX-License-Identifier: AGPL-3.0-or-later
import {
  createCipheriv,
  createECDH,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  createPrivateKey,
} from 'node:crypto';
import type { RecipientPair } from './keys.ts';

// Sealing once more, from node:crypto alone and without a line of src/: what the vectors are made with, and what tests
// compare with. Slow and plain on purpose.

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Record key number `i` of an epoch. */
export function recordKey(secret: Buffer, epochId: Buffer, i: number): Buffer {
  const hmac = (key: Buffer, label: number): Buffer => createHmac('sha384', key).update(Buffer.of(label)).update(epochId).digest();
  let chain = secret;
  for (let at = 0; at < i; at += 1) chain = hmac(chain, 2);
  return hmac(chain, 1).subarray(0, 32);
}

export function gcm(key: Buffer, nonce: Buffer, plaintext: Buffer, aad: Buffer = Buffer.alloc(0)): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** `nonce || ciphertext || tag` */
export function body(key: Buffer, nonce: Buffer, aad: string, padded: Buffer): Buffer {
  return Buffer.concat([nonce, gcm(key, nonce, padded, Buffer.from(aad))]);
}

export function objectBytes(key: Buffer, plaintext: Buffer): Buffer {
  const chunks: Buffer[] = [];
  const count = Math.max(1, Math.ceil(plaintext.length / 65_536));
  for (let index = 0; index < count; index += 1) {
    const nonce = Buffer.concat([Buffer.alloc(7), u32(index), Buffer.of(index === count - 1 ? 1 : 0)]);
    chunks.push(gcm(key, nonce, plaintext.subarray(index * 65_536, (index + 1) * 65_536)));
  }
  return Buffer.concat(chunks);
}

export interface SaltedPart {
  readonly label: number;
  readonly salt: Buffer;
  readonly bytes: Buffer;
}

export const partBytes = ({ label, salt, bytes }: SaltedPart): Buffer =>
  Buffer.concat([Buffer.of(label), salt, u32(bytes.length), bytes]);

export const sha256 = (...bytes: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(bytes)).digest();

export const commitmentOf = (parts: readonly SaltedPart[]): Buffer =>
  sha256(Buffer.of(5), ...parts.map((part) => sha256(partBytes(part))));

/** A zstd frame of one raw block (RFC 8878): the same bytes whatever the version of the compressor. */
export function rawZstd(plaintext: Buffer): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((plaintext.length << 3) | 1, 0, 3);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(plaintext.length);
  return Buffer.concat([Buffer.from('28b52ffda0', 'hex'), size, block, plaintext]);
}

/** Padmé (PETS 2019) with a floor of 256. */
export function padme(length: number): number {
  if (length <= 256) return 256;
  const e = length.toString(2).length - 1;
  const s = e.toString(2).length;
  const mask = 2 ** (e - s) - 1;
  return (length + mask) & ~mask;
}

export function pad(compressed: Buffer): Buffer {
  const used = Buffer.concat([u32(compressed.length), compressed]);
  return Buffer.concat([used, Buffer.alloc(padme(used.length) - used.length)]);
}

export interface JweRandomness {
  readonly contentKey: Buffer;
  readonly iv: Buffer;
  /** P-384 private scalar of the ephemeral key, per recipient. */
  readonly ephemeral: readonly Buffer[];
}

/** RFC 7516 General JSON: ECDH-ES+A256KW (RFC 7518 section 4.6) and A256GCM, for chosen randomness. */
export function jwe(secret: Buffer, recipients: readonly RecipientPair[], random: JweRandomness, header: object): string {
  const encoded = Buffer.from(JSON.stringify(header)).toString('base64url');
  const sealed = gcm(random.contentKey, random.iv, secret, Buffer.from(encoded));
  return JSON.stringify({
    ciphertext: sealed.subarray(0, -16).toString('base64url'),
    iv: random.iv.toString('base64url'),
    protected: encoded,
    recipients: recipients.map(({ recipient: { kid, x, y } }, index) => {
      const ecdh = createECDH('secp384r1');
      ecdh.setPrivateKey(random.ephemeral[index] as Buffer);
      const point = ecdh.getPublicKey();
      const epk = {
        crv: 'P-384',
        kty: 'EC',
        x: point.subarray(1, 49).toString('base64url'),
        y: point.subarray(49).toString('base64url'),
      };
      const privateKey = createPrivateKey({ key: { ...epk, d: ecdh.getPrivateKey().toString('base64url') }, format: 'jwk' });
      const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-384', x, y }, format: 'jwk' });
      const wrappingKey = concatKdf(diffieHellman({ privateKey, publicKey }));
      const wrap = createCipheriv('id-aes256-wrap', wrappingKey, Buffer.alloc(8, 0xa6));
      const wrapped = Buffer.concat([wrap.update(random.contentKey), wrap.final()]);
      return { encrypted_key: wrapped.toString('base64url'), header: { alg: 'ECDH-ES+A256KW', epk, kid } };
    }),
    tag: sealed.subarray(-16).toString('base64url'),
  });
}

function concatKdf(shared: Buffer): Buffer {
  const algorithm = Buffer.from('ECDH-ES+A256KW');
  return sha256(u32(1), shared, u32(algorithm.length), algorithm, u32(0), u32(0), u32(256));
}
