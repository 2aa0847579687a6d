// SPDX-License-Identifier: AGPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { describe, expect, test } from 'vitest';
import { normaliseDecrypted, normaliseStanza, type Understood } from '../../../src/connectors/whatsapp/normalise.ts';
import { UNDERSTOOD_MEMBERS } from '../../../src/connectors/whatsapp/normalise/message.ts';
import { decodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';
import { WRAPPERS } from '../../../src/connectors/whatsapp/normalise/unwrap.ts';
import type { ViewKind } from '../../../src/record/message.ts';
import { goldenCases, goldenOf, messageBytes, own, padded, rememberingContext, understoodOf } from './golden.ts';

/** What a WhatsApp capture can be about; `attachment`, `gap`, `linked`, `intakes` are the connector's own records. */
const KINDS: readonly ViewKind[] = [
  'call',
  'contacts',
  'delete',
  'delete-for-me',
  'edit',
  'empty',
  'event-response',
  'group',
  'group-update',
  'identity-change',
  'keep',
  'message',
  'pin',
  'poll-vote',
  'reaction',
  'read-sync',
  'receipt',
  'story',
  'sync',
  'timer',
  'typing',
  'unavailable',
  'undecryptable',
  'unknown',
  'unpin',
];

const cases = goldenCases();
const attrs = { from: '810000000000001:2@lid', sender_pn: '12025550101@s.whatsapp.net', id: 'A', t: '1795000000' };
const enc = { tag: 'enc', attrs: { type: 'msg', v: '2' }, content: Buffer.from('ciphertext') };

function said(message: object, over: Readonly<Record<string, string>> = {}): Understood {
  const node = { tag: 'message', attrs: { ...attrs, ...over }, content: [enc] };
  return normaliseDecrypted({ node, part: 0, plaintext: padded(messageBytes(message)) }, rememberingContext())[0];
}

describe('golden pairs', () => {
  test.for(cases.map(({ name }) => name))('understands %s as its golden file says', (name) => {
    const golden = cases.find((one) => one.name === name);
    expect(goldenOf(golden?.steps ?? [])).toEqual(JSON.parse(readFileSync(golden?.out ?? '', 'utf8')));
  });

  test('show every kind that a capture can have, and no other', () => {
    const kinds = new Set(cases.flatMap(({ steps }) => understoodOf(steps).flat()).map(({ view }) => view.kind));
    expect([...kinds].toSorted()).toEqual(KINDS);
  });

  test('show every member that is understood, and every wrapper', () => {
    const shown = cases.map(({ steps }) => JSON.stringify(steps)).join('');
    const missing = [...UNDERSTOOD_MEMBERS, ...WRAPPERS].filter((member) => !shown.includes(`"${member}":`));
    expect(missing).toEqual([]);
  });
});

test('makes something of every member that the protocol has, and calls by name what it does not understand', () => {
  const prototype = proto.Message.prototype as unknown as Record<string, unknown>;
  const members = Object.keys(prototype).filter((name) => typeof prototype[name] !== 'function');
  expect(members.length).toBeGreaterThan(90);
  for (const member of members) {
    const value = member === 'conversation' ? 'x' : {};
    const { view } = said({ [member]: value });
    const isCircumstance =
      member === 'messageContextInfo' || /SenderKeyDistribution|senderKeyDistribution/.test(member);
    if (!UNDERSTOOD_MEMBERS.includes(member) && !WRAPPERS.has(member) && !isCircumstance) {
      expect(view).toMatchObject({ kind: 'unknown', reason: member });
    }
  }
});

test('says of a message from a newer version which fields it did not read, on every level, and keeps them', () => {
  const newer = Buffer.from('ba0703' + '0a0178', 'hex');
  const inner = Buffer.concat([messageBytes({ conversation: 'inside' }), newer]);
  const ephemeral = Buffer.concat([Buffer.from([0xc2, 0x02, inner.length + 2, 0x0a, inner.length]), inner]);
  const node = { tag: 'message', attrs, content: [enc] };
  const [{ view, raw }] = normaliseDecrypted({ node, part: 0, plaintext: padded(ephemeral) }, rememberingContext());
  expect(view).toMatchObject({ kind: 'message', content: { text: 'inside' }, unread: ['40.1.119'] });
  expect(Buffer.from(decodeRaw(raw)?.parts[0]?.bytes ?? []).includes(newer)).toBe(true);
});

test('says that a field came twice, of which a decoder takes only the last', () => {
  const twice = Buffer.concat([
    messageBytes({ conversation: 'seen by some' }),
    messageBytes({ conversation: 'seen by all' }),
  ]);
  const node = { tag: 'message', attrs, content: [enc] };
  const [{ view }] = normaliseDecrypted({ node, part: 0, plaintext: padded(twice) }, rememberingContext());
  expect(view).toMatchObject({ content: { text: 'seen by all' }, unread: ['1'] });
});

test.for(['1a09' + 'b00101' + 'b00102' + '1a0178', '1a08' + 'b2010201' + '02' + '1a0178'])(
  'does not take for unread what is only written in another form: %s',
  (hex) => {
    const node = { tag: 'message', attrs, content: [enc] };
    const plaintext = padded(Buffer.from(hex, 'hex'));
    const [{ view }] = normaliseDecrypted({ node, part: 0, plaintext }, rememberingContext());
    expect(view).toMatchObject({ kind: 'message', content: { text: 'x' } });
    expect(view.unread).toBeUndefined();
  },
);

test('gives one message the same identity whether its sender is known by number or not yet', () => {
  const node = {
    tag: 'message',
    attrs: { ...attrs, from: '12025550101@s.whatsapp.net', sender_pn: '' },
    content: [enc],
  };
  const plaintext = padded(messageBytes({ conversation: 'x' }));
  const ignorant = rememberingContext();
  const [before] = normaliseDecrypted({ node, part: 0, plaintext }, ignorant);
  const [after] = normaliseDecrypted(
    { node, part: 0, plaintext },
    { ...ignorant, counterpart: () => '810000000000001@lid' },
  );
  expect(after.native).toEqual(before.native);
  expect(after.raw).toEqual(before.raw);
  expect(before.view.sender).toMatchObject({ id: null, number: '+12025550101' });
  expect(after.view.sender).toMatchObject({ id: '810000000000001@lid', number: '+12025550101' });
});

test('gives a message the same identity live and in a history blob', () => {
  const live = said({ conversation: 'from before' }, { id: 'H1' });
  const history = cases.find(({ name }) => name === 'history');
  const natives = understoodOf(history?.steps ?? [])
    .flat()
    .map(({ native }) => native);
  expect(natives).toContainEqual(live.native);
});

test('tells apart senders, rooms, ids and targets', () => {
  const reaction = (id: string): object => ({ reactionMessage: { key: { id, fromMe: true }, text: 'x' } });
  const all = [
    said({ conversation: 'x' }),
    said({ conversation: 'x' }, { id: 'B' }),
    said({ conversation: 'x' }, { from: '810000000000002@lid', sender_pn: '' }),
    said({ conversation: 'x' }, { from: '1@g.us', participant: '810000000000001@lid' }),
    said({ conversation: 'x' }, { from: '2@g.us', participant: '810000000000001@lid' }),
    said({ conversation: 'x' }, { from: '2@g.us', participant: '810000000000002@lid', sender_pn: '' }),
    said(reaction('1')),
    said(reaction('2')),
    said({ protocolMessage: { type: 'REVOKE', key: { id: '1', fromMe: true } } }),
    said({ protocolMessage: { type: 'REVOKE', key: { id: '2', fromMe: true } } }),
  ];
  expect(new Set(all.map(({ native }) => JSON.stringify(native))).size).toBe(all.length);
});

test('names a message that could not be read as it is named when it comes again', () => {
  const node = { tag: 'message', attrs, content: [enc] };
  const [lost] = normaliseStanza({ node, failure: 'no-session' }, rememberingContext());
  expect(lost.isComplete).toBe(false);
  expect(said({ conversation: 'again' }).ref).toEqual(lost.ref);
  expect(said({ conversation: 'other' }, { id: 'B' }).ref).not.toEqual(lost.ref);
});

test('does not take the keys that come beside a message for the message', () => {
  const { ref, view } = said(
    { senderKeyDistributionMessage: { groupId: 'g' } },
    { from: '1@g.us', participant: own.pn },
  );
  expect(view).toMatchObject({ kind: 'sync', what: 'sender-key' });
  expect(ref).toBeNull();
});

test('waits for nothing where a message will never come to a linked device', () => {
  const node = { tag: 'message', attrs, content: [{ tag: 'unavailable', attrs: { type: 'view_once' } }] };
  const [one] = normaliseStanza({ node }, rememberingContext());
  expect(one.view).toMatchObject({ kind: 'unavailable', what: 'view-once' });
  expect(one.isComplete).toBe(true);
});

test('gives a downloader all that it needs, and the same in the sealed view', () => {
  const image = cases.find(({ name }) => name === 'media-image');
  const [one] = understoodOf(image?.steps ?? []).flat();
  const [source] = one?.media ?? [];
  expect(source).toMatchObject({ type: 'image', directPath: '/o1/v/t24/f2/m232/10?ccb=9-4', size: 1010 });
  expect(Buffer.from(source?.mediaKey ?? [])).toEqual(Buffer.alloc(32, 10));
  expect(one?.view).toMatchObject({
    content: { attachments: [{ source: { type: 'image', key: Buffer.alloc(32, 10).toString('base64') } }] },
  });
});

test('passes the bytes of a history notification on as they came, unknown fields too', () => {
  const notification = Buffer.from('3003' + '3802' + 'ba0703616263', 'hex');
  const protocol = Buffer.concat([Buffer.from([0x10, 5, 0x32, notification.length]), notification]);
  const bytes = Buffer.concat([Buffer.from([0x62, protocol.length]), protocol]);
  const node = { tag: 'message', attrs: { ...attrs, from: own.pn, category: 'peer' }, content: [enc] };
  const [one] = normaliseDecrypted({ node, part: 0, plaintext: padded(bytes) }, rememberingContext());
  expect(Buffer.from(one.history?.notification ?? [])).toEqual(notification);
  expect(one.history).toMatchObject({ syncType: 3, chunk: 2 });
});
