// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { StockClient } from './stock-client.ts';
import { AGENCY, BOB, EVE, testWorld } from './test-world.ts';

const world = testWorld();

describe('linking', () => {
  it('links the unmodified client by QR code, checks its signature, and takes its login', async () => {
    const scanned = Promise.withResolvers<number>();
    const { emulator } = world;
    const client = new StockClient({
      url: emulator.url,
      onQr: (qr) => scanned.resolve(emulator.scanQr(qr, AGENCY)),
    });
    world.started(client);
    expect(await scanned.promise).toBe(1);
    await client.opened();
    expect(client.closed).toEqual([515]);
    expect(client.creds.me?.id).toBe(`${AGENCY}:1@s.whatsapp.net`);
  });

  it('links by pairing code', async () => {
    const typed = Promise.withResolvers<number>();
    const { emulator } = world;
    const client = new StockClient({
      url: emulator.url,
      pairingNumber: AGENCY,
      onPairingCode: (code) => typed.resolve(emulator.typePairingCode(code, AGENCY)),
    });
    world.started(client);
    expect(await typed.promise).toBe(1);
    await client.opened();
  });

  it('refuses a wrong pairing code', async () => {
    const typed = Promise.withResolvers<number>();
    const { emulator } = world;
    const client = new StockClient({
      url: emulator.url,
      pairingNumber: AGENCY,
      onPairingCode: () => typed.resolve(emulator.typePairingCode('WRONGCOD', AGENCY)),
    });
    world.started(client);
    await expect(typed.promise).rejects.toThrow();
  });
});

describe('messages', () => {
  it('delivers one to one, of both addressings, and to a group', async () => {
    const { emulator } = world;
    const client = await world.linked();
    const group = await emulator.addGroup({ subject: 'Team', members: [BOB, EVE, AGENCY] });
    await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'by number' } });
    await emulator.send({ to: AGENCY, from: EVE, message: { conversation: 'by lid' }, addressing: 'lid' });
    await emulator.send({ to: AGENCY, from: BOB, chat: group, message: { conversation: 'group 1' } });
    await emulator.send({ to: AGENCY, from: BOB, chat: group, message: { conversation: 'group 2' } });
    await emulator.send({
      to: AGENCY,
      from: AGENCY,
      chat: `${BOB}@s.whatsapp.net`,
      message: { conversation: 'from the phone' },
    });
    await client.until(({ messages }) => messages.length >= 5);
    expect(new Set(client.texts())).toEqual(new Set(['by lid', 'by number', 'from the phone', 'group 1', 'group 2']));
    expect(client.messages.find(({ message }) => message?.conversation === 'from the phone')?.key.fromMe).toBe(true);
    await emulator.drained(AGENCY);
    expect((await emulator.receipted()).map(({ replies }) => replies[0]?.type)).toEqual([
      'inactive',
      'inactive',
      'inactive',
      'inactive',
      'sender',
    ]);
  });

  it('keeps what is not receipted and delivers it at the next login', async () => {
    const { emulator } = world;
    const state = await emulator.linkReady(AGENCY);
    const sent = await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'while away' } });
    const client = new StockClient({ url: emulator.url, state });
    world.started(client);
    await emulator.answered(sent.entries);
    await client.until(({ messages }) => messages.length === 1);
    const [entry] = await emulator.book();
    expect(entry).toMatchObject({ state: 'receipted', sent: 1, text: 'while away' });
  });

  it('sends again what it did not book, until it does', async () => {
    const { emulator } = world;
    await emulator.setSwitches({ forgetReceipts: true });
    const client = await world.linked();
    const { entries } = await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'twice' } });
    await client.until(({ messages }) => messages.length === 1);
    await emulator.drop(AGENCY);
    await client.until(({ closed }) => closed.length === 1);
    await emulator.setSwitches({ forgetReceipts: false });
    client.reconnect();
    await emulator.answered(entries);
    // The stock client used up the key: it refuses what it had before.
    const [entry] = await emulator.book();
    expect(entry).toMatchObject({ state: 'refused', sent: 2 });
    expect(entry?.replies.map(({ error }) => error)).toContain('487');
  });
});
