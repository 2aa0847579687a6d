// SPDX-License-Identifier: AGPL-3.0-or-later

import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { decryptEventResponse, decryptPollVote } from '@whiskeysockets/baileys';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { expect, test } from 'vitest';
import { ownPerson, personOf } from '../../../src/connectors/whatsapp/normalise/address.ts';
import { open, recall, remember, useKey, type SealedUse } from '../../../src/connectors/whatsapp/normalise/secrets.ts';
import { own, rememberingContext } from './golden.ts';

const secret = Buffer.from('0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0', 'hex');
const id = '3EB0C767D26A1B2C3D4E';
const ana = '810000000000001@lid';
const anaPn = '12025550101@s.whatsapp.net';
const ben = '12025550102@s.whatsapp.net';

/** As a sender seals, with HKDF as the platform has it. */
function seal(
  use: SealedUse,
  author: string,
  by: string,
  bytes: Uint8Array,
  additional: string,
): { encPayload: Buffer; encIv: Buffer } {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `${id}${author}${by}${use}`, 32));
  const iv = Buffer.from('000102030405060708090a0b', 'hex');
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(additional));
  return { encPayload: Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]), encIv: iv };
}

function openWith(
  use: SealedUse,
  sealed: { encPayload: Buffer; encIv: Buffer },
  author = ana,
  by = ben,
): Buffer | null {
  const context = rememberingContext();
  const memory = remember(context, { room: '', sender: author, id }, { secret, sentAtMs: 1, options: [] });
  const recalling = { ...context, recall: () => memory?.value ?? null };
  const about = { room: '', author: personOf(own, author), id, by: personOf(own, by) };
  return open(recalling, about, use, { payload: sealed.encPayload, iv: sealed.encIv }).bytes;
}

test('derives the keys of RFC 5869 for every use', () => {
  for (const use of [
    'Poll Vote',
    'Enc Reaction',
    'Enc Comment',
    'Event Response',
    'Event Edit',
    'Message Edit',
  ] as const) {
    const expected = Buffer.from(hkdfSync('sha256', secret, '', `${id}${ana}${ben}${use}`, 32));
    expect(useKey(secret, id, ana, ben, use)).toEqual(expected);
  }
});

test('derives a key that does not change from version to version', () => {
  expect(useKey(secret, id, ana, ben, 'Message Edit').toString('hex')).toBe(
    '8146053f157b28e27924c784c89a97fef034386229413921192320c6d24e3793',
  );
});

test('opens a poll vote exactly where the client itself does', () => {
  const options = ['Monday', 'Friday'].map((name) => createHash('sha256').update(name).digest());
  const bytes = proto.Message.PollVoteMessage.encode({ selectedOptions: options }).finish();
  const sealed = seal('Poll Vote', ana, ben, bytes, `${id}\0${ben}`);
  const theirs = decryptPollVote(sealed, { pollCreatorJid: ana, pollMsgId: id, pollEncKey: secret, voterJid: ben });
  const ours = openWith('Poll Vote', sealed);
  expect(ours).toEqual(Buffer.from(bytes));
  expect(proto.Message.PollVoteMessage.decode(ours ?? Buffer.alloc(0)).selectedOptions).toEqual(theirs.selectedOptions);
});

test('opens an event response exactly where the client itself does', () => {
  const bytes = proto.Message.EventResponseMessage.encode({ response: 1, timestampMs: 5, extraGuestCount: 1 }).finish();
  const sealed = seal('Event Response', ana, ben, bytes, `${id}\0${ben}`);
  const theirs = decryptEventResponse(sealed, {
    eventCreatorJid: ana,
    eventMsgId: id,
    eventEncKey: secret,
    responderJid: ben,
  });
  expect(proto.Message.EventResponseMessage.decode(openWith('Event Response', sealed) ?? Buffer.alloc(0))).toEqual(
    theirs,
  );
});

test.for(['Enc Reaction', 'Enc Comment', 'Event Edit', 'Message Edit'] as const)(
  'opens %s, which has no additional data',
  (use) => {
    const bytes = Buffer.from('what was said');
    expect(openWith(use, seal(use, ana, ben, bytes, ''))).toEqual(bytes);
    expect(openWith(use, seal(use, ana, ben, bytes, `${id}\0${ben}`))).toBeNull();
  },
);

test('opens what was sealed under the number of a person known by LID, and the other way round', () => {
  const bytes = Buffer.from('x');
  const context = rememberingContext();
  context.learn({ pairs: [{ lid: ana, pn: anaPn }], memory: [] } as never);
  const memory = remember(context, { room: '', sender: ana, id }, { secret, sentAtMs: 1, options: [] });
  const recalling = {
    ...context,
    recall: (of: { sender: string }) => (of.sender === ana ? (memory?.value ?? null) : null),
  };
  for (const author of [ana, anaPn]) {
    for (const by of [own.pn, own.lid]) {
      const { encPayload: payload, encIv: iv } = seal('Message Edit', author, by, bytes, '');
      for (const named of [ana, anaPn]) {
        const about = { room: '', author: personOf(own, named), id, by: ownPerson(own) };
        expect(open(recalling, about, 'Message Edit', { payload, iv }).bytes).toEqual(bytes);
      }
    }
  }
});

test('opens nothing with another secret, id, author, sender or use, and nothing that was changed', () => {
  const bytes = Buffer.from('x');
  const sealed = seal('Message Edit', ana, ben, bytes, '');
  expect(openWith('Message Edit', sealed, '810000000000009@lid')).toBeNull();
  expect(openWith('Message Edit', sealed, ana, '810000000000009@lid')).toBeNull();
  expect(openWith('Event Edit', sealed)).toBeNull();
  for (let at = 0; at < sealed.encPayload.length; at++) {
    const changed = Buffer.from(sealed.encPayload);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(openWith('Message Edit', { ...sealed, encPayload: changed })).toBeNull();
  }
  expect(openWith('Message Edit', { ...sealed, encIv: Buffer.alloc(0) })).toBeNull();
  expect(openWith('Message Edit', { ...sealed, encPayload: Buffer.alloc(3) })).toBeNull();
});

test('remembers the secrets of four messages under one id, so that a second cannot make the first forgotten', () => {
  const context = rememberingContext();
  const message = { room: 'r', sender: ana, id };
  for (let n = 1; n <= 6; n++) {
    const memory = remember(context, message, { secret: Buffer.alloc(32, n), sentAtMs: n, options: [`${n}`] });
    context.learn({ pairs: [], memory: memory === null ? [] : [memory] } as never);
  }
  const known = recall(context, 'r', personOf(own, ana), id);
  expect(known.map(({ sentAtMs, options }) => [sentAtMs, options])).toEqual([
    [6, ['6']],
    [5, ['5']],
    [4, ['4']],
    [3, ['3']],
  ]);
});

test('remembers nothing that is no secret', () => {
  const context = rememberingContext();
  for (const length of [0, 31, 33]) {
    expect(
      remember(context, { room: '', sender: ana, id }, { secret: Buffer.alloc(length), sentAtMs: 1, options: [] }),
    ).toBeNull();
  }
});
