// SPDX-License-Identifier: AGPL-3.0-or-later
import { downloadContentFromMessage, proto } from '@whiskeysockets/baileys';
import { describe, expect, it } from 'vitest';
import type { MediaReference } from './api.ts';
import { AGENCY, BOB, testWorld } from './test-world.ts';

const world = testWorld();

async function download({ url, mediaKey }: MediaReference): Promise<Buffer> {
  const stream = await downloadContentFromMessage({ url, mediaKey }, 'image');
  return Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>));
}

describe('media', () => {
  it('is what the client decrypts', async () => {
    const media = await world.emulator.putMedia({ kind: 'image', bytes: Buffer.from('not a picture') });
    expect((await download(media)).toString()).toBe('not a picture');
  });

  it('of any size is made while it is served, the same bytes every time', async () => {
    const media = await world.emulator.putMedia({ kind: 'image', size: 1_000_000 });
    const [once, again] = [await download(media), await download(media)];
    expect(once.length).toBe(1_000_000);
    expect(once.equals(again)).toBe(true);
  });

  it('is uploaded again when the device asks, under a new path', async () => {
    const { emulator } = world;
    const client = await world.linked();
    const media = await emulator.putMedia({ kind: 'image', bytes: Buffer.from('picture') });
    const { url: _url, ...fields } = media;
    const message = { imageMessage: { ...fields, mimetype: 'image/jpeg' } };
    await emulator.send({ to: AGENCY, from: BOB, message, mediaType: 'image' });
    await client.until(({ messages }) => messages.length === 1);
    const [received] = client.messages;
    if (received === undefined) throw new Error('no message');
    const updated = await client.socket.updateMediaMessage(received);
    const directPath = updated.message?.imageMessage?.directPath ?? '';
    expect(directPath).not.toBe(media.directPath);
    expect((await download({ ...media, url: emulator.mediaUrl + directPath })).toString()).toBe('picture');
  });
});

describe('history', () => {
  const content: proto.IHistorySync = {
    syncType: proto.HistorySync.HistorySyncType.RECENT,
    conversations: [
      {
        id: `${BOB}@s.whatsapp.net`,
        messages: [
          {
            message: {
              key: { remoteJid: `${BOB}@s.whatsapp.net`, fromMe: false, id: 'OLD' },
              message: { conversation: 'from before' },
              messageTimestamp: 1_700_000_000,
            },
          },
        ],
      },
    ],
  };

  it('comes inline to a new device', async () => {
    const client = await world.linked();
    const syncType = proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP;
    await world.emulator.sendHistory(AGENCY, { syncType, content, inline: true });
    await client.until(({ events }) => events.some(({ name }) => name === 'messaging-history.set'));
    const set = client.events.find(({ name }) => name === 'messaging-history.set')?.value;
    expect(JSON.stringify(set)).toContain('from before');
  });

  it('comes on demand, asked for with a message to the phone', async () => {
    const { emulator } = world;
    const client = await world.linked({ shouldSyncHistoryMessage: () => false });
    await emulator.setHistoryOnDemand(AGENCY, content);
    await client.socket.fetchMessageHistory(50, { remoteJid: `${BOB}@s.whatsapp.net`, fromMe: false, id: 'X' }, 1);
    await client.until(({ messages }) =>
      messages.some(({ message }) => message?.protocolMessage?.historySyncNotification?.directPath),
    );
    const asked = (await emulator.seen(AGENCY)).find(({ plaintext }) => plaintext !== null);
    const { deviceSentMessage } = proto.Message.decode(asked?.plaintext ?? new Uint8Array());
    const request = deviceSentMessage?.message?.protocolMessage;
    expect(request?.peerDataOperationRequestMessage?.historySyncOnDemandRequest?.oldestMsgId).toBe('X');
  });
});

describe('app state', () => {
  it('reaches the client with MACs that hold', async () => {
    const { emulator } = world;
    const client = await world.linked({ appStateMacVerification: { patch: true, snapshot: true } });
    await emulator.shareAppStateKey(AGENCY);
    await emulator.drained(AGENCY);
    const index = ['deleteMessageForMe', `${BOB}@s.whatsapp.net`, 'ABC', '0', '0'];
    const value = { deleteMessageForMeAction: { deleteMedia: false, messageTimestamp: 1 } };
    await emulator.changeAppState(AGENCY, [{ collection: 'regular_high', index, value }]);
    await client.until(({ events }) => events.some(({ name }) => name === 'messages.delete'));
    const deleted = client.events.find(({ name }) => name === 'messages.delete')?.value;
    expect(deleted).toMatchObject({ keys: [{ id: 'ABC' }] });
  });
});

describe('the record of what the client sent', () => {
  it('holds every stanza', async () => {
    const { emulator } = world;
    await world.linked();
    const { entries } = await emulator.send({ to: AGENCY, from: BOB, message: { conversation: 'hello' } });
    await emulator.answered(entries);
    const tags = new Set((await emulator.seen(AGENCY)).map(({ node }) => node.tag));
    expect(tags).toContain('iq');
    expect(tags).toContain('receipt');
    expect(tags).not.toContain('message');
  });
});
