// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';

export interface ServerCertificate {
  /** PEM. Self-signed, so it is its own authority. */
  readonly cert: string;
  readonly key: string;
}

const NAMES = [
  'localhost',
  'whatsapp.net',
  '*.whatsapp.net',
  '*.cdn.whatsapp.net',
  '*.web.whatsapp.com',
  'web.whatsapp.com',
];
const DAY_MS = 86_400_000;

function tlv(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts);
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'));

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/\D/g, '').slice(2, 14);
  return tlv(0x17, Buffer.from(`${digits}Z`));
}

/** A certificate for WhatsApp's host names and the loopback interface, made anew for every emulator. */
export function selfSigned(nowMs: number): ServerCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
  const name = sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from('emulator')))));
  const altNames = sequence(...NAMES.map((dns) => tlv(0x82, Buffer.from(dns))), tlv(0x87, Buffer.of(127, 0, 0, 1)));
  const isAuthority = sequence(
    oid('551d13'),
    tlv(0x01, Buffer.of(0xff)),
    tlv(0x04, sequence(tlv(0x01, Buffer.of(0xff)))),
  );
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ecdsaWithSha256,
    name,
    sequence(utcTime(nowMs - DAY_MS), utcTime(nowMs + 365 * DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(sequence(oid('551d11'), tlv(0x04, altNames)), isAuthority)),
  );
  const signature = createSign('sha256').update(body).sign(privateKey);
  const der = sequence(body, ecdsaWithSha256, tlv(0x03, Buffer.of(0), signature));
  const lines = der.toString('base64').replaceAll(/(.{64})/g, '$1\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
