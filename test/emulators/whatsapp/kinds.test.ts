// SPDX-License-Identifier: AGPL-3.0-or-later
import { proto } from '@whiskeysockets/baileys';
import { describe, expect, it } from 'vitest';
import type { StockClient } from './stock-client.ts';
import { AGENCY, BOB, EVE, testWorld } from './test-world.ts';
import { node } from './wire.ts';

const world = testWorld();

function named(client: StockClient, name: string): unknown[] {
  return client.events.filter((event) => event.name === name).map(({ value }) => value);
}

describe('groups', () => {
  it('answer metadata queries, by LID and by number', async () => {
    const { emulator } = world;
    const byLid = await emulator.addGroup({ subject: 'By LID', members: [BOB, EVE, AGENCY] });
    const byNumber = await emulator.addGroup({ subject: 'By number', members: [EVE, AGENCY], addressing: 'pn' });
    await emulator.addGroup({ subject: 'Of others', members: [BOB, EVE] });
    const client = await world.linked();
    const metadata = await client.socket.groupMetadata(byLid);
    expect(metadata).toMatchObject({ subject: 'By LID', addressingMode: 'lid' });
    expect(metadata.participants.map(({ phoneNumber }) => phoneNumber)).toContain(`${BOB}@s.whatsapp.net`);
    const all = await client.socket.groupFetchAllParticipating();
    expect(new Set(Object.keys(all))).toEqual(new Set([byLid, byNumber]));
    expect(all[byNumber]?.participants.map(({ id }) => id)).toContain(`${EVE}@s.whatsapp.net`);
  });

  it('tell their changes, which wait for an acknowledgement', async () => {
    const { emulator } = world;
    const group = await emulator.addGroup({ subject: 'Team', members: [BOB, AGENCY], addressing: 'pn' });
    const client = await world.linked();
    const added = node('add', {}, [node('participant', { jid: `${EVE}@s.whatsapp.net` })]);
    const attrs = { from: group, participant: `${BOB}@s.whatsapp.net`, type: 'w:gp2', t: '1764000000' };
    const entries = await emulator.push(AGENCY, node('notification', attrs, [added]));
    await emulator.answered(entries);
    await client.until((one) => named(one, 'group-participants.update').length > 0);
    expect(named(client, 'group-participants.update')[0]).toMatchObject({ id: group, action: 'add' });
  });
});

describe('other places', () => {
  it('are broadcast lists, the status and newsletters', async () => {
    const { emulator } = world;
    const client = await world.linked();
    await emulator.send({
      to: AGENCY,
      from: BOB,
      chat: '1764000000@broadcast',
      message: { conversation: 'to a list' },
    });
    await emulator.send({ to: AGENCY, from: BOB, chat: 'status@broadcast', message: { conversation: 'a status' } });
    const plaintext = proto.Message.encode({ conversation: 'news' }).finish();
    const letter = { from: '120363000000000001@newsletter', type: 'text', t: '1764000000', server_id: '7' };
    await emulator.push(AGENCY, node('message', letter, [node('plaintext', {}, plaintext)]));
    await emulator.drained(AGENCY);
    await client.until(({ messages }) => messages.length === 3);
    expect(new Set(client.texts())).toEqual(new Set(['to a list', 'a status', 'news']));
    expect((await emulator.receipted()).length).toBe(3);
  });
});

describe('what is no message', () => {
  it('is a call', async () => {
    const { emulator } = world;
    const client = await world.linked();
    const from = `${BOB}@s.whatsapp.net`;
    const offer = node('offer', { 'call-id': 'CALL1', 'call-creator': from }, [node('audio', { enc: 'opus' })]);
    await emulator.push(AGENCY, node('call', { from, t: '1764000000', notify: 'Bob' }, [offer]));
    await emulator.drained(AGENCY);
    await client.until((one) => named(one, 'call').length > 0);
    expect(named(client, 'call')[0]).toMatchObject([{ id: 'CALL1', status: 'offer' }]);
  });

  it('is a receipt of somebody', async () => {
    const { emulator } = world;
    const client = await world.linked();
    const from = `${BOB}@s.whatsapp.net`;
    await emulator.send({ to: AGENCY, from: AGENCY, chat: from, id: 'MINE', message: { conversation: 'mine' } });
    await client.until(({ messages }) => messages.length === 1);
    await emulator.push(AGENCY, node('receipt', { from, id: 'MINE', type: 'read', t: '1764000000' }));
    await emulator.drained(AGENCY);
    await client.until((one) => named(one, 'messages.update').length > 0);
    expect(named(client, 'messages.update')[0]).toMatchObject([{ key: { id: 'MINE' }, update: { status: 4 } }]);
  });

  it('is a message that only the phone has, which gives it when asked', async () => {
    const { emulator } = world;
    const client = await world.linked();
    const sent = await emulator.send({
      to: AGENCY,
      from: BOB,
      id: 'HIDDEN',
      message: { conversation: 'found' },
      corrupt: true,
    });
    await emulator.answered(sent.entries);
    await client.until((one) => one.texts().includes('found'));
    expect((await emulator.book())[sent.entries[0] ?? -1]?.state).toBe('refused');
  });
});
