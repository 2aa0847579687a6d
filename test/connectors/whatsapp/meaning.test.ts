// SPDX-License-Identifier: AGPL-3.0-or-later

import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { proto } from '@whiskeysockets/baileys/WAProto/index.js';
import { expect, test } from 'vitest';
import { decodeRaw } from '../../../src/connectors/whatsapp/normalise/raw.ts';
import type { View } from '../../../src/record/message.ts';
import { eventually } from '../../support/eventually.ts';
import { bob, Capturing, carol, number } from './harness.ts';

// What the unmodified client decrypts off the wire means what it should: the whole way, with the emulator as everybody else.

const secret = Buffer.alloc(32, 9);
const messageContextInfo = { messageSecret: secret };
const pnOf = (digits: string): string => `${digits}@s.whatsapp.net`;

function seal(
  id: string,
  author: string,
  by: string,
  use: string,
  bytes: Uint8Array,
  isBound: boolean,
): { encPayload: Buffer; encIv: Buffer } {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `${id}${author}${by}${use}`, 32));
  const encIv = Buffer.alloc(12, 3);
  const cipher = createCipheriv('aes-256-gcm', key, encIv);
  if (isBound) cipher.setAAD(Buffer.from(`${id}\0${by}`));
  return { encPayload: Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]), encIv };
}

/** Views but those of housekeeping, in the order of capture. */
function views({ sink }: Capturing): View[] {
  return sink.messages.map(({ view }) => view).filter(({ kind }) => kind !== 'sync' && kind !== 'linked');
}

test('archives original, sealed edit, reaction and revocation of one message as four records that name one another', async () => {
  const capturing = await Capturing.start();
  const { emulator } = capturing;
  const original = await emulator.send({
    to: number,
    from: bob,
    message: { conversation: 'first', messageContextInfo },
  });
  const { id } = original;
  const author = pnOf(bob);
  const key = { remoteJid: pnOf(number), fromMe: true, id };
  const edited = proto.Message.encode({ conversation: 'second' }).finish();
  const { MESSAGE_EDIT } = proto.Message.SecretEncryptedMessage.SecretEncType;
  const sealed = {
    targetMessageKey: key,
    secretEncType: MESSAGE_EDIT,
    ...seal(id, author, author, 'Message Edit', edited, false),
  };
  const { REVOKE } = proto.Message.ProtocolMessage.Type;
  const messages: proto.IMessage[] = [
    { secretEncryptedMessage: sealed },
    { reactionMessage: { key: { ...key, fromMe: true }, text: '👍' } },
    { protocolMessage: { key, type: REVOKE } },
  ];
  const entries = [...original.entries];
  for (const message of messages) entries.push(...(await emulator.send({ to: number, from: bob, message })).entries);
  await emulator.answered(entries);
  const target = { id, author: { number: `+${bob}` } };
  expect(views(capturing)).toMatchObject([
    { kind: 'message', id, content: { text: 'first' }, sender: { number: `+${bob}` } },
    { kind: 'edit', target, content: { text: 'second' } },
    { kind: 'reaction', target, emoji: '👍' },
    { kind: 'delete', target, by: 'sender' },
  ]);
});

test('archives of every message the very bytes that were sent, however they were encrypted', async () => {
  const capturing = await Capturing.start();
  const { emulator, sink } = capturing;
  const group = await emulator.addGroup({ subject: 'Plans', members: [bob, carol, number], addressing: 'lid' });
  const unknown = Buffer.from('0a026869ba07030a0178', 'hex');
  const sent = [
    await emulator.send({ to: number, from: bob, message: unknown }),
    await emulator.send({ to: number, from: bob, message: { conversation: 'again' } }),
    await emulator.send({ to: number, from: carol, chat: group, message: { conversation: 'in the group' } }),
    await emulator.send({ to: number, from: number, chat: pnOf(bob), message: { conversation: 'from the phone' } }),
  ];
  await emulator.answered(sent.flatMap(({ entries }) => entries));
  const kept = sink.messages.map(({ raw }) =>
    Buffer.from(decodeRaw(raw)?.parts.find(({ is }) => is === 'plaintext')?.bytes ?? []),
  );
  const [direct, again, inGroup, fromPhone] = sent.map(({ plaintext }) => Buffer.from(plaintext));
  for (const message of [direct, again, inGroup]) {
    expect(kept.map((bytes) => bytes.subarray(0, message?.length))).toContainEqual(message);
  }
  // The phone's own copy is wrapped with whom it went to.
  expect(kept.some((bytes) => fromPhone !== undefined && bytes.includes(fromPhone))).toBe(true);
  expect(views(capturing)[0]).toMatchObject({ content: { text: 'hi' }, unread: ['119'] });
});

test('counts the votes of a poll in a group whose members are known by LID', async () => {
  const capturing = await Capturing.start();
  const { emulator } = capturing;
  const group = await emulator.addGroup({ subject: 'Plans', members: [bob, carol, number], addressing: 'lid' });
  const options = [{ optionName: 'Monday' }, { optionName: 'Friday' }];
  const pollCreationMessageV3 = { name: 'Which day?', options, selectableOptionsCount: 1 };
  const poll = await emulator.send({
    to: number,
    from: bob,
    chat: group,
    message: { pollCreationMessageV3, messageContextInfo },
  });
  const hello = await emulator.send({ to: number, from: carol, chat: group, message: { conversation: 'voting' } });
  await emulator.answered([...poll.entries, ...hello.entries]);
  const [, said] = views(capturing);
  const [asked] = views(capturing);
  const lidOf = (view: View | undefined): string => view?.sender?.id ?? '';
  expect(lidOf(asked)).toMatch(/@lid$/);
  const selectedOptions = [createHash('sha256').update('Friday').digest()];
  const bytes = proto.Message.PollVoteMessage.encode({ selectedOptions }).finish();
  const vote = seal(poll.id, lidOf(asked), lidOf(said), 'Poll Vote', bytes, true);
  const pollCreationMessageKey = { remoteJid: group, fromMe: false, id: poll.id, participant: lidOf(asked) };
  const { entries } = await emulator.send({
    to: number,
    from: carol,
    chat: group,
    message: { pollUpdateMessage: { pollCreationMessageKey, vote } },
  });
  await emulator.answered(entries);
  expect(views(capturing).at(-1)).toMatchObject({
    kind: 'poll-vote',
    chat: { type: 'group', id: group },
    sender: { id: lidOf(said), number: `+${carol}` },
    target: { id: poll.id, author: { id: lidOf(asked) } },
    options: [1],
  });
});

test('archives what comes as a stanza of its own: group changes, calls, a changed key, a view-once that nobody may see here', async () => {
  const capturing = await Capturing.start();
  const { emulator } = capturing;
  const group = await emulator.addGroup({ subject: 'Plans', members: [bob, number] });
  const t = '1795000000';
  const node = (tag: string, attrs: Record<string, string>, child: string, more: Record<string, string> = {}): never =>
    ({ tag, attrs: { t, ...attrs }, content: [{ tag: child, attrs: more }] }) as never;
  const entries = [
    ...(await emulator.push(
      number,
      node('notification', { type: 'w:gp2', from: group, participant: pnOf(bob) }, 'subject', { subject: 'New plans' }),
    )),
    ...(await emulator.push(
      number,
      node('call', { from: pnOf(bob) }, 'offer', { 'call-id': 'C1', 'call-creator': pnOf(bob) }),
    )),
    ...(await emulator.push(number, node('notification', { type: 'encrypt', from: pnOf(bob) }, 'identity'))),
    ...(await emulator.push(
      number,
      node('message', { from: pnOf(bob), type: 'text', id: 'VO1' }, 'unavailable', { type: 'view_once' }),
    )),
  ];
  await emulator.answered(entries);
  const expected = ['group-update', 'call', 'identity-change', 'unavailable'];
  await eventually(() => expected.filter((kind) => views(capturing).some((view) => view.kind === kind))).toEqual(
    expected,
  );
  expect(capturing.sink.openGaps()).toEqual([]);
});
