// SPDX-License-Identifier: AGPL-3.0-or-later

import { expect, test } from 'vitest';
import { normaliseDecrypted, type Understood } from '../../../src/connectors/whatsapp/normalise.ts';
import { decodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';
import { messageBytes, padded, rememberingContext } from './golden.ts';

const attrs = { from: '810000000000001:2@lid', sender_pn: '12025550101@s.whatsapp.net', id: 'A', t: '1795000000' };
const enc = { tag: 'enc', attrs: { type: 'msg', v: '2' }, content: Buffer.from('ciphertext') };

/** Understands the message, and checks that its bytes come back from each record as they went in. */
function understand(message: Uint8Array): readonly [Understood, ...Understood[]] {
  const plaintext = padded(message);
  const found = normaliseDecrypted(
    { node: { tag: 'message', attrs, content: [enc] }, part: 0, plaintext },
    rememberingContext(),
  );
  for (const { raw } of found) {
    const kept = decodeRaw(raw)?.parts.find(({ is }) => is === 'plaintext')?.bytes;
    expect(Buffer.compare(kept ?? Buffer.alloc(0), plaintext)).toBe(0);
  }
  return found;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function field(number: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(value.length)]), value]);
}

/** A message in `levels` wrappers: each is a `FutureProofMessage` in an `ephemeralMessage`. Made from the inside out, without copying. */
function nested(levels: number): Uint8Array {
  const core = messageBytes({ conversation: 'in the middle' });
  const prefixes: Buffer[] = [];
  let { length } = core;
  for (let n = 0; n < levels; n++) {
    for (const number of [1, 40]) {
      const prefix = Buffer.from([...varint(number * 8 + 2), ...varint(length)]);
      prefixes.push(prefix);
      length += prefix.length;
    }
  }
  return Buffer.concat([...prefixes.toReversed(), core]);
}

test('reads a text in 100 wrappers', () => {
  expect(understand(nested(100))[0].view).toMatchObject({ kind: 'message', content: { text: 'in the middle' } });
});

test.for([200, 5_000, 50_000])('keeps a message in %d wrappers and says that it is not understood', (levels) => {
  expect(understand(nested(levels))[0].view.kind).toBe('unknown');
});

test('keeps a text of 64 MiB whole, in the view and in the bytes', () => {
  const length = 64 * 1024 * 1024;
  const [{ view }] = understand(field(1, Buffer.alloc(length, 'x')));
  expect(view.kind === 'message' ? view.content.text?.length : null).toBe(length);
});

test('makes no more records of one message than a few, however many members it has', () => {
  const wrapper = field(
    40,
    field(1, messageBytes({ conversation: 'x', reactionMessage: { text: 'x', key: { id: '1' } } })),
  );
  let message: Uint8Array = wrapper;
  for (const number of [37, 40, 53, 55, 58, 59, 62, 67])
    message = Buffer.concat([field(number, field(1, message)), message]);
  const found = understand(message);
  expect(found.length).toBe(17);
  expect(found.at(-1)?.view).toMatchObject({ kind: 'unknown', reason: 'more members than are read' });
});

test('cuts lists that are too long for a view, and says so', () => {
  const mentions = Buffer.concat(Array.from({ length: 60_000 }, () => field(15, Buffer.from('1@lid'))));
  const [{ view }] = understand(field(6, Buffer.concat([field(1, Buffer.from('hi')), field(17, mentions)])));
  expect(view.kind === 'message' ? view.content.mentions?.length : 0).toBe(50_000);
  expect(view.unread).toEqual(['lists over 50000 items']);
});

test('reads a message with a million fields that it does not know, and says that there is more', () => {
  const junk = Buffer.alloc(3 * 1_000_000);
  for (let at = 0; at < junk.length; at += 3) junk.writeUIntBE(0xb80700, at, 3);
  const [{ view }] = understand(Buffer.concat([messageBytes({ conversation: 'still there' }), junk]));
  expect(view).toMatchObject({ kind: 'message', content: { text: 'still there' }, unread: ['*'] });
});

test('names at most 64 of the fields that it does not know', () => {
  const junk = Buffer.concat(Array.from({ length: 500 }, (_, n) => field(1000 + n, Buffer.alloc(1))));
  const [{ view }] = understand(Buffer.concat([messageBytes({ conversation: 'x' }), junk]));
  expect(view.unread?.length).toBe(64);
});

test('believes nobody but the owner about history, and no one about what others wrote', () => {
  const spoofed = [
    { protocolMessage: { type: 'HISTORY_SYNC_NOTIFICATION', historySyncNotification: { syncType: 'FULL' } } },
    {
      protocolMessage: {
        type: 'MESSAGE_EDIT',
        key: { id: '1', participant: '5@lid' },
        editedMessage: { conversation: 'x' },
      },
    },
    { protocolMessage: { type: 'REVOKE', key: { id: '1', fromMe: false } } },
  ];
  for (const message of spoofed) {
    const [{ view, history }] = understand(messageBytes(message));
    expect(view.kind).toBe('unknown');
    expect(history).toBeNull();
  }
});
