// SPDX-License-Identifier: AGPL-3.0-or-later
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import type { Json } from '../../src/record/canonical.ts';
import { AT, ESCROW, hexOf, READER, STRANGER, STREAM, type RecipientPair } from './keys.ts';
import * as primitives from './primitives.ts';

const fixed = (word: string, length: number): Buffer => {
  const blocks = Array.from({ length: Math.ceil(length / 64) }, (_, index) => createHash('sha512').update(`${word} ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
};

export const SUITE = 'HF1-P384-A256GCM';
export const EPOCH_SECRET = fixed('epoch secret', 48);
const RANDOM = {
  contentKey: fixed('content key', 32),
  iv: fixed('iv', 12),
  ephemeral: [fixed('ephemeral 0', 48), fixed('ephemeral 1', 48)],
};
export const EPOCH_TEXT = epochText({ enc: 'A256GCM', typ: SUITE });
export const EPOCH_ID = primitives.sha256(Buffer.from(EPOCH_TEXT));

/** An epoch whose randomness is known, for the two recipients. */
export function epochText(header: object, secret: Buffer = EPOCH_SECRET): string {
  return primitives.jwe(secret, [READER, ESCROW], RANDOM, header);
}

const holder = ({ recipient, jwk }: RecipientPair): Json => ({ role: recipient.role, kid: recipient.kid, jwk });

export function epochVectors(): Json {
  return {
    holders: [holder(READER), holder(ESCROW)],
    stranger: holder(STRANGER),
    secret: EPOCH_SECRET.toString('hex'),
    text: EPOCH_TEXT,
    id: EPOCH_ID.toString('hex'),
    recordKeys: [0, 1, 17].map((i) => ({ i, key: primitives.recordKey(EPOCH_SECRET, EPOCH_ID, i).toString('hex') })),
    refused: [
      { name: 'a secret of 32 bytes', text: epochText({ enc: 'A256GCM', typ: SUITE }, EPOCH_SECRET.subarray(0, 32)) },
      { name: 'another suite', text: epochText({ enc: 'A256GCM', typ: 'HF2-P384-A256GCM' }) },
      { name: 'no suite', text: epochText({ enc: 'A256GCM' }) },
      { name: 'a changed tag', text: EPOCH_TEXT.replace(/"tag":"./, (match) => match.slice(0, -1) + (match.endsWith('A') ? 'B' : 'A')) },
    ],
  };
}

const PARTS = { cap: '{"atMs":1795359723123}', view: '{"kind":"message","text":"Grüße"}', raw: 'upstream bytes' };
const LABELS = { cap: 2, view: 3, raw: 4 };

/** A record under key number `i` of {@link EPOCH_TEXT}, made without src/. */
export function sealedRecord(i: number): { [key: string]: Json } {
  const parts = (['cap', 'view', 'raw'] as const).map((name) => ({
    label: LABELS[name],
    salt: fixed(`salt ${name} ${i}`, 32),
    bytes: Buffer.from(PARTS[name]),
  }));
  const padded = primitives.pad(primitives.rawZstd(Buffer.concat(parts.map(primitives.partBytes))));
  const nonce = fixed(`nonce ${i}`, 12);
  const com = primitives.commitmentOf(parts).toString('hex');
  const start = `{"at":"${AT}",`;
  const rest =
    `"com":"${com}","epoch":"${EPOCH_ID.toString('hex')}","i":${i},"prev":"${hexOf('prev')}","ret":"GRS-6.1-011","seq":7,` +
    `"stream":"${STREAM}","t":"content","tag":"${hexOf('tag', 32)}","v":1}`;
  const key = primitives.recordKey(EPOCH_SECRET, EPOCH_ID, i);
  const body = primitives.body(key, nonce, start + rest, padded);
  const ref = `"body":{"h":"${primitives.sha256(body).toString('hex')}","n":${body.length}},`;
  return {
    i,
    key: key.toString('hex'),
    nonce: nonce.toString('hex'),
    salts: parts.map(({ salt }) => salt.toString('hex')),
    parts: PARTS,
    padded: padded.toString('hex'),
    associated: start + rest,
    line: start + ref + rest,
    body: body.toString('hex'),
  };
}

export function recordVectors(): Json {
  return { epoch: EPOCH_TEXT, records: [0, 1, 17].map(sealedRecord) };
}

/** Byte k of an object of the vectors is (7 k + 3) mod 256. */
export function objectPlaintext(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, k) => 7 * k + 3));
}

export const OBJECT_KEY = fixed('object key', 32);
export const OBJECT_LENGTHS = [0, 1, 65_535, 65_536, 65_537, 200_000];

export function objectVectors(): Json {
  const objects = OBJECT_LENGTHS.map((length) => {
    const sealed = primitives.objectBytes(OBJECT_KEY, objectPlaintext(length));
    return { length, sealedLength: sealed.length, sha256: primitives.sha256(sealed).toString('hex') };
  });
  return { plaintext: 'byte k is (7 k + 3) mod 256', key: OBJECT_KEY.toString('hex'), objects };
}

export function paddingVectors(): Json {
  const lengths = [0, 1, 255, 256, 257, 272, 273, 511, 512, 513, 1000, 1024, 4097, 63_488, 63_489, 65_508, 65_536, 1_000_001];
  return lengths.map((length) => ({ length, padded: primitives.padme(length) }));
}

export function tagVectors(): Json {
  const deployment = fixed('deployment', 32);
  const [app, account] = ['signal', 'b1b2c3'];
  const half = (key: Uint8Array, text: string): string => createHmac('sha256', key).update(text).digest('hex').slice(0, 32);
  const pseudonym = half(deployment, `holdfast account v1\n${app}\n${account}`);
  const key = new Uint8Array(hkdfSync('sha256', deployment, '', `holdfast tag v1\n${pseudonym}`, 32));
  const native = { chat: 'group "1"', sender: 'é', id: '1795359723123', kind: 'message', revision: '' };
  const tag = half(key, '["group \\"1\\"","é","1795359723123","message",""]');
  return { deployment: deployment.toString('hex'), app, account, pseudonym, native, tag };
}
