// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { StockClient } from './stock-client.ts';
import { AGENCY, BOB, EVE, testWorld } from './test-world.ts';

const world = testWorld();

describe('connections', () => {
  it.each([
    [{ fault: 'stream-error', code: 401, conflict: 'device_removed' } as const, 401],
    [{ fault: 'stream-error', conflict: 'replaced' } as const, 440],
    [{ fault: 'stream-error', code: 503 } as const, 503],
    [{ fault: 'stream-error', ack: true } as const, 500],
    [{ fault: 'stream-end' } as const, 428],
    [{ fault: 'downgrade' } as const, 411],
  ])('end with %j as code %i', async (fault, code) => {
    const client = await world.linked();
    await world.emulator.fault(AGENCY, fault);
    await client.until(({ closed }) => closed.length === 1);
    expect(client.closed).toEqual([code]);
  });

  it.each([401, 402, 403, 405, 406, 409, 500, 503])('are refused at login with %i', async (reason) => {
    const { emulator } = world;
    await emulator.refuseLogins({ reason, code: 101, expireSeconds: 60, times: 1 }, AGENCY);
    const client = world.started(new StockClient({ url: emulator.url, state: await emulator.linkReady(AGENCY) }));
    await client.until(({ closed }) => closed.length === 1);
    expect(client.closed).toEqual([reason]);
    client.reconnect();
    await client.opened();
    expect(await emulator.logins(AGENCY)).toBe(2);
  });

  it('of the same device replace each other', async () => {
    const { emulator } = world;
    const state = await emulator.linkReady(AGENCY);
    const first = world.started(new StockClient({ url: emulator.url, state }));
    await first.opened();
    const second = world.started(new StockClient({ url: emulator.url, state }));
    await second.opened();
    await first.until(({ closed }) => closed.length === 1);
    expect(first.closed).toEqual([440]);
  });

  it('of an unlinked account end at once, and what waited is dropped', async () => {
    const { emulator } = world;
    const client = await world.linked();
    await emulator.setSwitches({ forgetReceipts: true });
    const { entries } = await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'too late' } });
    await emulator.unlink(AGENCY);
    await client.until(({ closed }) => closed.length === 1);
    expect(client.closed).toEqual([401]);
    expect((await emulator.book())[entries[0] ?? -1]?.state).toBe('dropped');
  });

  it('to a server whose certificates have another root succeed: only TLS tells the client whom it talks to', async () => {
    const { emulator } = world;
    await emulator.setSwitches({ foreignRoot: true });
    await world.linked();
    expect(await emulator.logins(AGENCY)).toBe(1);
  });
});

describe('losses of the stock client', () => {
  it('loses what it receipted when the link drops before the end of the offline batch', async () => {
    const { emulator } = world;
    const state = await emulator.linkReady(AGENCY);
    await emulator.setSwitches({ dropBeforeOfflineEnd: true });
    const { entries } = await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'gone' } });
    const client = world.started(new StockClient({ url: emulator.url, state }));
    await emulator.answered(entries);
    await client.until(({ closed }) => closed.length === 1);
    await emulator.setSwitches({ dropBeforeOfflineEnd: false });
    client.reconnect();
    await client.opened();
    expect((await emulator.receipted()).map(({ text }) => text)).toEqual(['gone']);
    expect(client.texts()).toEqual([]);
  });

  it('loses one of two messages with the same id in one offline batch, and the book tells them apart', async () => {
    const { emulator } = world;
    const state = await emulator.linkReady(AGENCY);
    const chat = await emulator.addGroup({ subject: 'Team', members: [BOB, EVE, AGENCY] });
    await emulator.send({ to: AGENCY, from: BOB, chat, id: 'SAME', message: { conversation: 'of Bob' } });
    await emulator.send({ to: AGENCY, from: EVE, chat, id: 'SAME', message: { conversation: 'of Eve' } });
    const client = world.started(new StockClient({ url: emulator.url, state }));
    await emulator.drained(AGENCY);
    await client.until(({ messages }) => messages.length > 0);
    expect((await emulator.receipted()).map(({ text }) => text)).toEqual(['of Bob', 'of Eve']);
    expect(client.texts()).toEqual(['of Eve']);
  });
});

describe('bad messages', () => {
  it('ciphertext that does not decrypt is asked for again, and the sender sends it again in a new session', async () => {
    const { emulator } = world;
    const client = await world.linked();
    await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'first' } });
    await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'broken' }, corrupt: true });
    await client.until((one) => one.texts().includes('broken'));
    await emulator.drained(AGENCY);
    const [, broken, again] = await emulator.book();
    expect(broken).toMatchObject({ state: 'refused', retries: 1, text: 'broken' });
    expect(again).toMatchObject({ text: 'broken', id: broken?.id });
  });

  it('bytes that are no message, and a stanza of a hundred levels, are carried as they are', async () => {
    const { emulator } = world;
    await world.linked();
    const { entries, plaintext } = await emulator.send({
      to: AGENCY,
      from: BOB,
      message: Buffer.from('0a05616263', 'hex'),
    });
    await emulator.fault(AGENCY, { fault: 'deep-node', levels: 100 });
    await emulator.answered(entries);
    expect(Buffer.from(plaintext).toString('hex')).toBe('0a05616263');
  });
});
