// SPDX-License-Identifier: AGPL-3.0-or-later
import { createDecipheriv, createHash, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';

/*
 * Run as a process of its own, so that the keys it finds are never in the memory that a test searches: the wrapping key, the
 * content key and the secret of a JWE, masked.
 */

interface Jwe {
  readonly protected: string;
  readonly iv: string;
  readonly ciphertext: string;
  readonly tag: string;
  readonly recipients: readonly { readonly header: { readonly epk: object }; readonly encrypted_key: string }[];
}

const MASK = 0x5a;
const ALGORITHM = Buffer.from('ECDH-ES+A256KW');
const { jwe, pem } = JSON.parse(readFileSync(0, 'utf8')) as { jwe: Jwe; pem: string };
const [first] = jwe.recipients;
if (first === undefined) throw new Error('no recipient');

const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer).swap32();
const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');

const publicKey = createPublicKey({ key: first.header.epk as never, format: 'jwk' });
const shared = diffieHellman({ privateKey: createPrivateKey(pem), publicKey });
const wrapping = createHash('sha256')
  .update(Buffer.concat([u32(1), shared, u32(ALGORITHM.length), ALGORITHM, u32(0), u32(0), u32(256)]))
  .digest();
const unwrap = createDecipheriv('id-aes256-wrap', wrapping, Buffer.alloc(8, 0xa6));
const content = Buffer.concat([unwrap.update(bytes(first.encrypted_key)), unwrap.final()]);
const decipher = createDecipheriv('aes-256-gcm', content, bytes(jwe.iv));
decipher.setAAD(Buffer.from(jwe.protected));
decipher.setAuthTag(bytes(jwe.tag));
const secret = Buffer.concat([decipher.update(bytes(jwe.ciphertext)), decipher.final()]);
const masked = [wrapping, content, secret].map((key) => Buffer.from(key.map((byte) => byte ^ MASK)).toString('hex'));
writeSync(1, JSON.stringify(masked));
