// SPDX-License-Identifier: AGPL-3.0-or-later

// Messages that are newer than the client: kept as they came, said not to be understood, and waiting for who can read them.

import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { expect, test } from 'vitest';
import { normaliseDecrypted, normaliseStanza, type Understood } from '../../../src/connectors/whatsapp/normalise.ts';
import { decodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';
import { messageBytes, padded, rememberingContext } from './golden.ts';

const attrs = { from: '810000000000001:2@lid', sender_pn: '12025550101@s.whatsapp.net', id: 'A', t: '1795000000' };
const enc = { tag: 'enc', attrs: { type: 'msg', v: '2' }, content: Buffer.from('ciphertext') };

/** What the message is understood as; its bytes must come back from every record as they went in. */
function understand(message: Uint8Array): readonly Understood[] {
  const plaintext = padded(message);
  const node = { tag: 'message', attrs, content: [enc] };
  const found = normaliseDecrypted({ node, part: 0, plaintext }, rememberingContext());
  for (const { raw } of found) {
    const kept = decodeRaw(raw)?.parts.find(({ is }) => is === 'plaintext')?.bytes;
    expect(Buffer.from(kept ?? [])).toEqual(Buffer.from(plaintext));
  }
  return found;
}

/** A field of bytes, as protobuf writes it. */
function field(number: number, value: Uint8Array): Buffer {
  const key = number * 8 + 2;
  const varint = key < 0x80 ? [key] : [(key & 0x7f) | 0x80, key >> 7];
  return Buffer.from([...varint, value.length, ...value]);
}

test.each([
  ['a changed schedule', 3],
  ['an edited poll', 4],
  ['an added option', 5],
  ['a kind of next year', 99],
])('%s under a secret is kept sealed, with the message that it is about', (_what, secretEncType) => {
  const [encPayload, encIv] = [Buffer.alloc(40, 7), Buffer.alloc(12, 8)];
  const key = { remoteJid: attrs.from, id: 'POLL', fromMe: false };
  const sealed = { targetMessageKey: key, encPayload, encIv };
  const known = proto.Message.encode({ secretEncryptedMessage: sealed }).finish();
  // The client's own words for the kinds end before these.
  const inner = Buffer.concat([known.subarray(3), Buffer.from([0x20, secretEncType])]);
  const number = known.subarray(0, 2);
  const found = understand(Buffer.concat([number, Buffer.from([inner.length]), inner]));
  expect(found.map(({ view, isComplete }) => [view.kind, isComplete])).toEqual([['unknown', true]]);
  expect(Buffer.from(found[0]?.raw ?? []).includes(encPayload)).toBe(true);
});

test('a poll in a form that the client does not know is kept, and said to be unknown', () => {
  const poll = messageBytes({ pollCreationMessage: { name: 'Where?', options: [{ optionName: 'Here' }] } });
  const options = poll.subarray(Buffer.from(poll).indexOf('Where?') - 2);
  const found = understand(field(119, options));
  expect(found.map(({ view }) => view.kind)).toEqual(['unknown']);
  expect(Buffer.from(found[0]?.raw ?? []).includes('Where?')).toBe(true);
});

test('a bot’s answer, which no linked device is given the key of, is kept sealed', () => {
  const content = Buffer.from('sealed for the phone alone');
  const child = { tag: 'enc', attrs: { type: 'msmsg', v: '2' }, content };
  const node = { tag: 'message', attrs, content: [child] };
  const found = normaliseStanza({ node, failure: 'bot-message' }, rememberingContext());
  expect(found.map(({ view, isComplete }) => [view.kind, isComplete])).toEqual([['undecryptable', false]]);
  expect(Buffer.from(found[0]?.raw ?? []).includes(content)).toBe(true);
});
