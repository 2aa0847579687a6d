// SPDX-License-Identifier: AGPL-3.0-or-later

// The losses of the stock client, one by one: first that it has them, then that the archive has not.

import { proto, type SignalKeyStore } from '@whiskeysockets/baileys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Failure } from '../../../src/base/failure.ts';
import type { WhatsAppEmulator } from '../../emulators/whatsapp/api.ts';
import { credsOf, keysOf, StockClient, type StockClientOptions } from '../../emulators/whatsapp/stock-client.ts';
import { eventually } from '../../support/eventually.ts';
import { bob, Capturing, carol, number, startEmulator } from './harness.ts';

type Offer = (emulator: WhatsAppEmulator) => Promise<readonly Uint8Array[]>;

async function stock(
  emulator: WhatsAppEmulator,
  offer: Offer,
  options: (state: NonNullable<StockClientOptions['state']>) => Partial<StockClientOptions['config']> = () => ({}),
): Promise<StockClient> {
  const state = await emulator.linkReady(number);
  await offer(emulator);
  const client = new StockClient({ url: emulator.url, state, config: { ...options(state) } });
  onTestFinished(() => client.end());
  return client;
}

/** A session that is started after the server has something for it. Returns what was offered. */
async function ours(offer: Offer): Promise<{ capturing: Capturing; offered: readonly Uint8Array[] }> {
  const capturing = await Capturing.start({ idle: true });
  const offered = await offer(capturing.emulator);
  capturing.run();
  return { capturing, offered };
}

const held = (offered: readonly Uint8Array[], { sink }: Capturing): boolean[] =>
  offered.map((plaintext) => sink.contents.some(({ raw }) => Buffer.from(raw).includes(Buffer.from(plaintext))));

async function say(emulator: WhatsAppEmulator, text: string, more: object = {}): Promise<Uint8Array> {
  return (await emulator.send({ to: number, from: bob, message: { conversation: text }, ...more })).plaintext;
}

const receiptCount = async (emulator: WhatsAppEmulator): Promise<number> => (await emulator.receipted(number)).length;

describe('the link drops before the server says that its queue is empty (B)', () => {
  const offer: Offer = async (emulator) => {
    await emulator.setSwitches({ dropBeforeOfflineEnd: true });
    return [await say(emulator, 'one'), await say(emulator, 'two')];
  };

  test('the stock client has receipted both and tells of neither, then or later', async () => {
    const emulator = await startEmulator();
    const client = await stock(emulator, offer);
    await client.until(({ closed }) => closed.length > 0);
    await emulator.setSwitches({ dropBeforeOfflineEnd: false });
    client.reconnect();
    await client.opened();
    await emulator.drained(number);
    await client.until(({ events }) =>
      events.some(({ value }) => (value as { receivedPendingNotifications?: boolean }).receivedPendingNotifications),
    );
    expect([await receiptCount(emulator), client.texts()]).toEqual([2, []]);
  });

  test('the archive has both', async () => {
    const { capturing, offered } = await ours(offer);
    await eventually(() => held(offered, capturing)).toEqual([true, true]);
    await capturing.emulator.drained(number);
    expect(capturing.texts).toEqual(['one', 'two']);
  });
});

describe('an original is edited, and another revoked, in one offline batch (C)', () => {
  const key = (id: string): proto.IMessageKey => ({ remoteJid: `${bob}@s.whatsapp.net`, fromMe: false, id });
  const { MESSAGE_EDIT, REVOKE } = proto.Message.ProtocolMessage.Type;
  const offer: Offer = async (emulator) => {
    const edit = { key: key('EDITED'), type: MESSAGE_EDIT, editedMessage: { conversation: 'the harmless text' } };
    return [
      await say(emulator, 'the original text', { id: 'EDITED' }),
      await say(emulator, '', { message: { editedMessage: { message: { protocolMessage: edit } } } }),
      await say(emulator, 'the revoked text', { id: 'REVOKED' }),
      await say(emulator, '', { message: { protocolMessage: { key: key('REVOKED'), type: REVOKE } } }),
    ];
  };

  test('the stock client never tells of either original', async () => {
    const emulator = await startEmulator();
    const client = await stock(emulator, offer);
    await emulator.drained(number);
    await client.until(({ messages }) => messages.length > 0);
    const told = JSON.stringify(client.messages);
    expect(await receiptCount(emulator)).toBe(4);
    expect(told).toContain('the harmless text');
    expect([told.includes('the original text'), told.includes('the revoked text')]).toEqual([false, false]);
  });

  test('the archive has all four', async () => {
    const { capturing, offered } = await ours(offer);
    await eventually(() => held(offered, capturing)).toEqual([true, true, true, true]);
  });
});

describe('two members of a group use the same message id (D)', () => {
  const offer: Offer = async (emulator) => {
    const chat = await emulator.addGroup({ subject: 'Plans', members: [bob, carol, number] });
    return [
      await say(emulator, 'the first', { id: 'SAME', chat }),
      await say(emulator, 'the second', { id: 'SAME', chat, from: carol }),
    ];
  };

  test('the stock client tells of the second only', async () => {
    const emulator = await startEmulator();
    const client = await stock(emulator, offer);
    await emulator.drained(number);
    await client.until(({ messages }) => messages.length > 0);
    expect([await receiptCount(emulator), client.texts()]).toEqual([2, ['the second']]);
  });

  test('the archive has both', async () => {
    const { capturing, offered } = await ours(offer);
    await eventually(() => held(offered, capturing)).toEqual([true, true]);
  });
});

describe('the store fails to commit (E)', () => {
  test('the stock client refuses the message, and the server drops it', async () => {
    const emulator = await startEmulator();
    await emulator.setSwitches({ resendOnRetry: false });
    const failing = (keys: SignalKeyStore): SignalKeyStore => ({
      ...keys,
      set: (data) => ('session' in data ? Promise.reject(new Error('disk')) : keys.set(data)),
    });
    const state = await emulator.linkReady(number);
    const auth = { creds: credsOf(state), keys: failing(keysOf(state)) };
    const config = { auth, transactionOpts: { maxCommitRetries: 2, delayBetweenTriesMs: 5 } };
    const client = new StockClient({ url: emulator.url, state, config });
    onTestFinished(() => client.end());
    await client.opened();
    await say(emulator, 'refused');
    await emulator.drained(number);
    expect((await emulator.book(number)).map((entry) => [entry.text, entry.state])).toEqual([['refused', 'refused']]);
    expect(client.texts()).not.toContain('refused');
  });

  test('the archive takes it as soon as the store does, and nothing is said to the server before', async () => {
    const capturing = await Capturing.start();
    let left = 5;
    const answers: number[] = [];
    capturing.sink.obstacle = async (captures) => {
      if (!captures.some(({ view }) => view.kind === 'message')) return;
      const [entry] = await capturing.emulator.book(number);
      answers.push(entry?.replies.length ?? -1);
      if (left-- > 0) throw new Failure('spool/no-stream', { expected: 'a stream', got: 'none' });
    };
    await capturing.emulator.answered(await capturing.say('kept'));
    expect([capturing.texts, answers]).toEqual([['kept'], [0, 0, 0, 0, 0, 0]]);
    expect(await receiptCount(capturing.emulator)).toBe(1);
  });

  test('a store that hangs while the link drops costs nothing either', async () => {
    const capturing = await Capturing.start();
    const { emulator, sink } = capturing;
    const hung = Promise.withResolvers<void>();
    let isAsked = false;
    sink.obstacle = async (captures) => {
      if (!captures.some(({ view }) => view.kind === 'message')) return;
      isAsked = true;
      await hung.promise;
    };
    const entries = await capturing.say('late');
    await eventually(() => isAsked).toBe(true);
    await emulator.drop(number);
    hung.resolve();
    await emulator.answered(entries);
    expect(capturing.texts).toEqual(['late']);
    expect((await emulator.receipted(number))[0]?.sent).toBe(2);
  });
});

describe('the server sends again what was decrypted before (F)', () => {
  const lose = async (emulator: WhatsAppEmulator): Promise<void> => {
    await emulator.setSwitches({ forgetReceipts: true });
    await say(emulator, 'once');
  };

  test('the stock client refuses it as a key that was used', async () => {
    const emulator = await startEmulator();
    const client = await stock(emulator, () => Promise.resolve([]));
    await client.opened();
    await lose(emulator);
    await client.until(({ messages }) => messages.length > 0);
    await emulator.setSwitches({ forgetReceipts: false });
    await emulator.drop(number);
    await client.until(({ closed }) => closed.length > 0);
    client.reconnect();
    await emulator.drained(number);
    expect((await emulator.book(number))[0]?.state).toBe('refused');
  });

  test('the archive answers from the spool, and has it once', async () => {
    const capturing = await Capturing.start();
    const { emulator } = capturing;
    await lose(emulator);
    await eventually(() => capturing.texts).toEqual(['once']);
    await emulator.setSwitches({ forgetReceipts: false });
    await emulator.drop(number);
    await emulator.drained(number);
    const [entry] = await emulator.book(number);
    expect([entry?.state, entry?.sent]).toEqual(['receipted', 2]);
    expect(capturing.texts).toEqual(['once']);
    expect(capturing.sink.gaps).toEqual([]);
  });
});

describe('the download of a history blob stalls: the deaf session', () => {
  /** Returns what was asked for over HTTP. The body comes in part and never ends. */
  const stall = async (emulator: WhatsAppEmulator): Promise<readonly string[]> => {
    const asked: string[] = [];
    const { fetch } = globalThis;
    globalThis.fetch = (input) => {
      asked.push(input instanceof Request ? input.url : input.toString());
      return Promise.resolve(new Response(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array(8)) })));
    };
    onTestFinished(() => void (globalThis.fetch = fetch));
    const syncType = proto.HistorySync.HistorySyncType.RECENT;
    const content = { syncType, conversations: [{ id: `${bob}@s.whatsapp.net` }] };
    await emulator.sendHistory(number, { syncType, content });
    return asked;
  };

  test('the stock client receives, and neither tells nor receipts, while it says that it is connected', async () => {
    const emulator = await startEmulator();
    const client = await stock(emulator, () => Promise.resolve([]));
    await client.opened();
    const asked = await stall(emulator);
    await eventually(() => asked.length).toBe(1);
    await say(emulator, 'not heard');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(client.texts()).not.toContain('not heard');
    expect((await emulator.receipted(number)).map(({ text }) => text)).not.toContain('not heard');
    expect(await emulator.isConnected(number)).toBe(true);
  });

  test('the archive goes on', async () => {
    const capturing = await Capturing.start();
    const asked = await stall(capturing.emulator);
    await capturing.emulator.answered(await capturing.say('heard'));
    expect([capturing.texts.includes('heard'), asked]).toEqual([true, []]);
  });
});

describe('a history blob cannot be had at first (G)', () => {
  const syncType = proto.HistorySync.HistorySyncType.RECENT;
  const chat = `${bob}@s.whatsapp.net`;
  const key = { remoteJid: chat, fromMe: false, id: 'PAST' };
  const past = { message: { key, message: { conversation: 'of last week' }, messageTimestamp: 1_790_000_000 } };
  const content = { syncType, conversations: [{ id: chat, messages: [past] }] };
  const chunk = { syncType, content, fault: { fault: 'status', status: 503, times: 1 } } as const;

  test('the stock client has receipted it and never has it, though the host has it the next time', async () => {
    const emulator = await startEmulator();
    const client = await stock(emulator, () => Promise.resolve([]));
    await client.opened();
    const { fetch } = globalThis;
    let asked = 0;
    globalThis.fetch = () => Promise.resolve(new Response(null, { status: asked++ === 0 ? 503 : 200 }));
    onTestFinished(() => void (globalThis.fetch = fetch));
    const { entries } = await emulator.sendHistory(number, chunk);
    await emulator.answered(entries);
    await eventually(() => asked).toBe(1);
    await say(emulator, 'of today');
    await client.until(() => client.texts().includes('of today'));
    client.reconnect();
    await emulator.drained(number);
    expect([await receiptCount(emulator), asked, JSON.stringify(client.events).includes('of last week')]).toEqual([
      2,
      1,
      false,
    ]);
  });

  test('the archive has it', async () => {
    const capturing = await Capturing.start({ emulator: { tls: true } });
    await capturing.emulator.sendHistory(number, chunk);
    await eventually(() => capturing.texts).toEqual(['of last week']);
    expect(capturing.sink.gaps).toEqual([]);
  });
});

/** Frames say their length in three bytes, so nothing on the wire is longer, a text least of all. */
const LONGEST_FRAME = 2 ** 24 - 1;

test.each([
  ['six megabytes', 6 * 2 ** 20],
  ['almost the sixteen that a frame holds', LONGEST_FRAME - 1000],
])('a text of %s is captured whole', async (_size, length) => {
  const capturing = await Capturing.start();
  const text = 'x'.repeat(length);
  const { entries } = await capturing.emulator.send({ to: number, from: bob, message: { conversation: text } });
  await capturing.emulator.answered(entries);
  const sizes = capturing.sink.messages.map(({ raw }) => raw.length);
  expect(Math.max(...sizes)).toBeGreaterThan(text.length);
  await capturing.emulator.answered(await capturing.say('and on'));
  expect(capturing.texts).toContain('and on');
});
